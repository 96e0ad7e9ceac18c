package fn

import (
	"net/netip"
	"strings"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

var networks = boundedCache[string, netip.Prefix]{size: 4096}

// parseNetwork reads a network such as 10.0.0.0/8; bits of the address after
// the prefix do not matter.
func parseNetwork(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(strings.TrimSpace(s))
	if err != nil {
		return p, sqlerr.New(sqlerr.InvalidText, sqlerr.Pos{}, "%s is not a network", shown(s)).
			WithHint("write it like 10.0.0.0/8 or 2001:db8::/32")
	}
	if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	return p.Masked(), nil
}

func addressOf(raw string) netip.Addr {
	a, _ := netip.AddrFromSlice([]byte(raw))
	return a.Unmap()
}

// networkContains tells whether the network in the first argument holds the
// address in the second.
var networkContains kernel = func(_ *Context, t *column.Type, args []*column.Vector, n int) (*column.Vector, error) {
	v, out := made[int64](t, n)
	nets, mn := data[string](args[0])
	addresses, ma := data[string](args[1])
	skip := unionNulls(args)
	var last memo[netip.Prefix]
	for i := range out {
		if skip.Get(i) {
			continue
		}
		p, err := last.get(&networks, nets[i&mn], parseNetwork)
		if err != nil {
			return nil, err
		}
		out[i] = truth(p.Contains(addressOf(addresses[i&ma])))
	}
	return v, nil
}

func rawAddress(a netip.Addr) string {
	raw := a.As16()
	return string(raw[:])
}

// lastAddress is the highest address of a network.
func lastAddress(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// ipPrefix gives the network of an address as text.
func ipPrefix(_ *Context, raw string, bits int64) (string, bool, error) {
	a := addressOf(raw)
	if bits < 0 || bits > int64(a.BitLen()) {
		return "", false, fault(sqlerr.InvalidArgument, "%s has no prefix of %d bits", a, bits)
	}
	p, _ := a.Prefix(int(bits))
	return p.String(), true, nil
}

func textAddress(s string) (string, error) {
	raw, ok := parseAddress(s)
	if !ok {
		return "", invalidCast(s, column.IPAddressType)
	}
	return raw, nil
}

func addAddresses(l *library) {
	family := "ip"
	l.scalar(Doc{Name: "ip_prefix", Family: family, Signature: "ip_prefix(address, bits) → varchar", Summary: "Gives the network of an address.",
		Example: "ip_prefix('10.1.2.3', 16)", Result: "10.1.0.0/16"},
		over("ipaddress, bigint", "varchar", try2(ipPrefix)),
		over("varchar, bigint", "varchar", try2(func(c *Context, s string, bits int64) (string, bool, error) {
			raw, err := textAddress(s)
			if err != nil {
				return "", false, err
			}
			return ipPrefix(c, raw, bits)
		})))
	for _, f := range []struct {
		name, which, result string
		get                 func(p netip.Prefix) netip.Addr
	}{
		{"ip_subnet_min", "lowest", "10.1.0.0", netip.Prefix.Addr},
		{"ip_subnet_max", "highest", "10.1.255.255", lastAddress},
	} {
		l.scalar(Doc{Name: f.name, Family: family, Signature: f.name + "(network) → ipaddress", Summary: "Gives the " + f.which + " address of a network.",
			Example: f.name + "('10.1.2.3/16')", Result: f.result},
			over("varchar", "ipaddress", try1(func(_ *Context, s string) (string, bool, error) {
				p, err := networks.get(s, parseNetwork)
				if err != nil {
					return "", false, err
				}
				return rawAddress(f.get(p)), true, nil
			})))
	}
	l.scalar(Doc{Name: "is_subnet_of", Family: family, Signature: "is_subnet_of(network, address or network) → boolean",
		Summary: "Tells whether an address or a network lies in a network.", Example: "is_subnet_of('10.0.0.0/8', '10.1.0.0/16')", Result: "true"},
		over("varchar, ipaddress", "boolean", networkContains),
		over("varchar, varchar", "boolean", try2(func(_ *Context, s, inner string) (int64, bool, error) {
			p, err := networks.get(s, parseNetwork)
			if err != nil {
				return 0, false, err
			}
			if !strings.Contains(inner, "/") {
				raw, err := textAddress(inner)
				if err != nil {
					return 0, false, err
				}
				return truth(p.Contains(addressOf(raw))), true, nil
			}
			q, err := networks.get(inner, parseNetwork)
			if err != nil {
				return 0, false, err
			}
			return truth(q.Bits() >= p.Bits() && p.Contains(q.Addr())), true, nil
		})))
}
