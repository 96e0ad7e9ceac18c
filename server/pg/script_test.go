package pg

import (
	"encoding/hex"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

var rewrite = flag.Bool("rewrite", false, "write what was received into the scripts of testdata")

// TestScripts runs the protocol scripts of testdata, each on a connection of its own
// over the same hundred events. A line that begins with ">" sends a message; "recv"
// receives up to ReadyForQuery or the end, "recv N" N messages; lines that begin with "<"
// are what must come. go test ./server/pg -run Scripts -rewrite writes them anew.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	f := newFixture(t, 100, nil)
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got := runScript(t, f, string(text))
			if *rewrite {
				if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(text) {
				want := strings.Split(string(text), "\n")
				for i, line := range strings.Split(got, "\n") {
					if i >= len(want) || line != want[i] {
						t.Fatalf("line %d:\n got %s\nwant %s\n(-rewrite writes the script anew)", i+1, line, append(want, "the end")[min(i, len(want))])
					}
				}
				t.Fatal("the script expects more than came")
			}
		})
	}
}

func runScript(t *testing.T, f *fixture, script string) string {
	nc, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(20 * time.Second))
	front := pgproto3.NewFrontend(nc, nc)
	var out strings.Builder
	for _, line := range strings.Split(strings.TrimSuffix(script, "\n"), "\n") {
		if strings.HasPrefix(line, "<") {
			continue
		}
		out.WriteString(line + "\n")
		words := fields(t, line)
		switch {
		case len(words) == 0 || strings.HasPrefix(line, "#"):
		case words[0] == ">":
			if words[1] == "Raw" {
				b, err := hex.DecodeString(words[2])
				if err != nil {
					t.Fatal(err)
				}
				// The server may have hung up already: what it said then is in the script.
				if front.Flush() == nil {
					_, _ = nc.Write(b)
				}
				continue
			}
			front.Send(message(t, words[1:]))
		case words[0] == "recv":
			n := -1
			if len(words) > 1 {
				n, _ = strconv.Atoi(words[1])
			}
			_ = front.Flush()
			for ; n != 0; n-- {
				m, err := front.Receive()
				if err != nil {
					out.WriteString("< end\n")
					break
				}
				out.WriteString("< " + shown(m) + "\n")
				if _, ok := m.(*pgproto3.ReadyForQuery); ok && n < 0 {
					break
				}
			}
		default:
			t.Fatalf("line %q", line)
		}
	}
	return out.String()
}

// fields takes a line apart at spaces; words in quotes are Go strings.
func fields(t *testing.T, line string) []string {
	var out []string
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimLeft(line, " ") {
		if strings.HasPrefix(line, "#") {
			return nil
		}
		if line[0] == '"' {
			q, err := strconv.QuotedPrefix(line)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			s, _ := strconv.Unquote(q)
			out, line = append(out, s), line[len(q):]
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		out, line = append(out, word), rest
	}
	return out
}

// message makes the message that a line of a script tells.
func message(t *testing.T, w []string) pgproto3.FrontendMessage {
	arg := func(i int) string {
		if i < len(w) {
			return w[i]
		}
		return ""
	}
	number := func(s string) uint32 { n, _ := strconv.ParseUint(s, 10, 32); return uint32(n) }
	switch w[0] {
	case "Startup":
		m := &pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{}}
		for _, kv := range w[1:] {
			k, v, _ := strings.Cut(kv, "=")
			if k == "version" {
				m.ProtocolVersion = 3<<16 | number(v)
				continue
			}
			m.Parameters[k] = v
		}
		return m
	case "Query":
		return &pgproto3.Query{String: arg(1)}
	case "Parse": // name text oids…
		m := &pgproto3.Parse{Name: arg(1), Query: arg(2)}
		for _, o := range w[min(3, len(w)):] {
			m.ParameterOIDs = append(m.ParameterOIDs, number(o))
		}
		return m
	case "Bind": // portal statement text|binary values…
		m := &pgproto3.Bind{DestinationPortal: arg(1), PreparedStatement: arg(2)}
		if arg(3) == "binary" {
			m.ResultFormatCodes = []int16{1}
		}
		for _, v := range w[min(4, len(w)):] {
			switch {
			case v == "NULL":
				m.Parameters = append(m.Parameters, nil)
				m.ParameterFormatCodes = append(m.ParameterFormatCodes, 0)
			case strings.HasPrefix(v, "0x"):
				b, err := hex.DecodeString(v[2:])
				if err != nil {
					t.Fatal(err)
				}
				m.Parameters = append(m.Parameters, b)
				m.ParameterFormatCodes = append(m.ParameterFormatCodes, 1)
			default:
				m.Parameters = append(m.Parameters, []byte(v))
				m.ParameterFormatCodes = append(m.ParameterFormatCodes, 0)
			}
		}
		return m
	case "Describe":
		return &pgproto3.Describe{ObjectType: arg(1)[0], Name: arg(2)}
	case "Execute":
		return &pgproto3.Execute{Portal: arg(1), MaxRows: number(arg(2))}
	case "Close":
		return &pgproto3.Close{ObjectType: arg(1)[0], Name: arg(2)}
	case "Sync":
		return &pgproto3.Sync{}
	case "Flush":
		return &pgproto3.Flush{}
	case "CopyData":
		return &pgproto3.CopyData{Data: []byte(arg(1))}
	case "CopyDone":
		return &pgproto3.CopyDone{}
	case "CopyFail":
		return &pgproto3.CopyFail{Message: arg(1)}
	case "Terminate":
		return &pgproto3.Terminate{}
	case "FunctionCall":
		return &pgproto3.FunctionCall{Function: number(arg(1))}
	}
	t.Fatalf("message %q is not known", w[0])
	return nil
}

// shown writes a message on one line.
func shown(m pgproto3.BackendMessage) string {
	value := func(b []byte) string {
		if b == nil {
			return "NULL"
		}
		for _, c := range b {
			if c < 0x20 && c != '\n' && c != '\t' || c >= 0x7f {
				return "0x" + hex.EncodeToString(b)
			}
		}
		return strconv.Quote(string(b))
	}
	switch m := m.(type) {
	case *pgproto3.RowDescription:
		var out []string
		for _, f := range m.Fields {
			out = append(out, fmt.Sprintf("%q:%d:%d", f.Name, f.DataTypeOID, f.Format))
		}
		return "RowDescription " + strings.Join(out, " ")
	case *pgproto3.DataRow:
		var out []string
		for _, v := range m.Values {
			out = append(out, value(v))
		}
		return "DataRow " + strings.Join(out, " ")
	case *pgproto3.CommandComplete:
		return "CommandComplete " + string(m.CommandTag)
	case *pgproto3.ReadyForQuery:
		return "ReadyForQuery " + string(rune(m.TxStatus))
	case *pgproto3.ErrorResponse:
		return strings.TrimSpace(fmt.Sprintf("ErrorResponse %s %s at=%d %q %q %q", m.Severity, m.Code, m.Position, m.Message, m.Detail, m.Hint))
	case *pgproto3.NoticeResponse:
		return strings.TrimSpace(fmt.Sprintf("NoticeResponse %s %s %q %q %q", m.Severity, m.Code, m.Message, m.Detail, m.Hint))
	case *pgproto3.ParameterStatus:
		return fmt.Sprintf("ParameterStatus %s=%q", m.Name, m.Value)
	case *pgproto3.ParameterDescription:
		return "ParameterDescription " + strings.Trim(fmt.Sprint(m.ParameterOIDs), "[]")
	case *pgproto3.BackendKeyData:
		return fmt.Sprintf("BackendKeyData secret of %d bytes", len(m.SecretKey))
	case *pgproto3.NegotiateProtocolVersion:
		return fmt.Sprintf("NegotiateProtocolVersion 3.%d %v", m.NewestMinorProtocol&0xffff, m.UnrecognizedOptions)
	case *pgproto3.CopyInResponse:
		return fmt.Sprintf("CopyInResponse %d %v", m.OverallFormat, m.ColumnFormatCodes)
	case *pgproto3.CopyOutResponse:
		return fmt.Sprintf("CopyOutResponse %d %v", m.OverallFormat, m.ColumnFormatCodes)
	case *pgproto3.CopyData:
		return "CopyData " + value(m.Data)
	case *pgproto3.NotificationResponse:
		return fmt.Sprintf("NotificationResponse %q %d bytes", m.Channel, len(m.Payload))
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", m), "*pgproto3.")
}
