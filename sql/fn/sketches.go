package fn

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// distinctSketch estimates how many different values it was given. While there
// are few it keeps their hashes and counts exactly; then it becomes a
// HyperLogLog of 2^p registers. The bytes of a sketch as SQL sees them
// (approx_set, a varbinary) are:
//
//	1 byte   version, 1
//	1 byte   p
//	1 byte   0: hashes follow, 8 bytes each, big-endian, ascending
//	         1: 2^p registers follow, one byte each
type distinctSketch struct {
	p         uint8
	hashes    []uint64 // sparse: open addressing when over fewHashes, 0 is free
	count     int
	hasZero   bool
	registers []uint8
}

const (
	// defaultPrecision gives a standard error of 1.04/sqrt(2048) = 2.3 %.
	defaultPrecision = 11
	minPrecision     = 4
	maxPrecision     = 16
	// sparseHashes is how many hashes a sketch keeps exactly at most; then the
	// registers are the smaller form.
	sparseHashes  = 256
	sketchVersion = 1
)

func (s *distinctSketch) add(h uint64) {
	if s.registers != nil {
		s.raise(h)
		return
	}
	if h == 0 {
		s.hasZero = true
		return
	}
	if 4*(s.count+1) > 3*len(s.hashes) {
		if s.count >= sparseHashes {
			s.densify()
			s.raise(h)
			return
		}
		old := s.hashes
		s.hashes = make([]uint64, max(4, 2*len(old)))
		for _, x := range old {
			if x != 0 {
				s.insert(x)
			}
		}
	}
	if s.insert(h) {
		s.count++
	}
}

func (s *distinctSketch) insert(h uint64) bool {
	mask := uint64(len(s.hashes) - 1)
	for at := h & mask; ; at = (at + 1) & mask {
		switch s.hashes[at] {
		case h:
			return false
		case 0:
			s.hashes[at] = h
			return true
		}
	}
}

func (s *distinctSketch) densify() {
	s.registers = make([]uint8, 1<<s.p)
	for _, h := range s.hashes {
		if h != 0 {
			s.raise(h)
		}
	}
	if s.hasZero {
		s.raise(0)
	}
	s.hashes, s.count, s.hasZero = nil, 0, false
}

// raise notes the hash in its register: how many leading zeros follow the
// register's number, plus one.
func (s *distinctSketch) raise(h uint64) {
	at := h >> (64 - s.p)
	rank := uint8(bits.LeadingZeros64(h<<s.p|1<<(s.p-1))) + 1
	if rank > s.registers[at] {
		s.registers[at] = rank
	}
}

// merge adds what another sketch of the same precision was given.
func (s *distinctSketch) merge(o *distinctSketch) {
	if o.registers == nil {
		for _, h := range o.hashes {
			if h != 0 {
				s.add(h)
			}
		}
		if o.hasZero {
			s.add(0)
		}
		return
	}
	if s.registers == nil {
		s.densify()
	}
	for i, r := range o.registers {
		s.registers[i] = max(s.registers[i], r)
	}
}

// estimate uses Ertl's estimator, which is right at both ends of the range
// without tables of corrections.
func (s *distinctSketch) estimate() int64 {
	if s.registers == nil {
		return int64(s.count) + truth(s.hasZero)
	}
	q := 64 - int(s.p)
	var counts [66]int
	for _, r := range s.registers {
		counts[r]++
	}
	m := float64(len(s.registers))
	z := m * tau(1-float64(counts[q+1])/m)
	for k := q; k >= 1; k-- {
		z = 0.5 * (z + float64(counts[k]))
	}
	z += m * sigma(float64(counts[0])/m)
	return int64(math.Round(m / (2 * math.Ln2) * m / z))
}

func sigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	y, z := 1.0, x
	for {
		x *= x
		before := z
		z += x * y
		y += y
		if z == before {
			return z
		}
	}
}

func tau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	y, z := 1.0, 1-x
	for {
		x = math.Sqrt(x)
		before := z
		y *= 0.5
		z -= (1 - x) * (1 - x) * y
		if z == before {
			return z / 3
		}
	}
}

func (s *distinctSketch) bytes() int64 {
	return int64(8*cap(s.hashes) + cap(s.registers) + 64)
}

func (s *distinctSketch) encode() string {
	out := []byte{sketchVersion, s.p, 0}
	if s.registers != nil {
		out[2] = 1
		return string(append(out, s.registers...))
	}
	all := make([]uint64, 0, s.count+1)
	if s.hasZero {
		all = append(all, 0)
	}
	for _, h := range s.hashes {
		if h != 0 {
			all = append(all, h)
		}
	}
	slices.Sort(all)
	for _, h := range all {
		out = binary.BigEndian.AppendUint64(out, h)
	}
	return string(out)
}

// decodeSketch reads what encode wrote, or any other bytes.
func decodeSketch(b string) (*distinctSketch, error) {
	bad := func(what string) error { return fault(sqlerr.InvalidArgument, "the bytes are not a sketch: %s", what) }
	if len(b) < 3 || b[0] != sketchVersion || b[1] < minPrecision || b[1] > maxPrecision || b[2] > 1 {
		return nil, bad("no header")
	}
	s := &distinctSketch{p: b[1]}
	body := b[3:]
	if b[2] == 1 {
		if len(body) != 1<<s.p {
			return nil, bad("wrong number of registers")
		}
		s.registers = []uint8(body)
		for _, r := range s.registers {
			if r > 65-s.p {
				return nil, bad("a register is too large")
			}
		}
		return s, nil
	}
	if len(body)%8 != 0 || len(body) > 8*(sparseHashes+sparseHashes) {
		return nil, bad("wrong number of hashes")
	}
	last, first := uint64(0), true
	for ; body != ""; body = body[8:] {
		h := binary.BigEndian.Uint64([]byte(body[:8]))
		if !first && h <= last {
			return nil, bad("hashes out of order")
		}
		last, first = h, false
		s.add(h)
	}
	return s, nil
}

// distinctEstimate is approx_distinct, approx_set and merge.
type distinctEstimate struct {
	sketches []distinctSketch
	result   *column.Type // bigint: the estimate; varbinary: the sketch
	merging  bool         // the argument is a sketch
	p        uint8        // 0 until the first row tells the error wanted
	held     int64
}

func (d *distinctEstimate) Grow(n int) { d.sketches = grown(d.sketches, n) }

// precision reads the wanted standard error, once.
func (d *distinctEstimate) precision(args []*column.Vector, i int) error {
	if d.p != 0 {
		return nil
	}
	d.p = defaultPrecision
	if len(args) > 1 {
		leaf, j := args[1].Leaf(i)
		if args[1].IsNull(i) || !(leaf.F64[j] >= 0.0040625 && leaf.F64[j] <= 0.26) {
			return fault(sqlerr.InvalidArgument, "the standard error must be 0.0040625 to 0.26")
		}
		m := 1.04 / leaf.F64[j]
		d.p = uint8(min(maxPrecision, max(minPrecision, math.Ceil(math.Log2(m*m)))))
	}
	return nil
}

func (d *distinctEstimate) Add(groups []uint32, args []*column.Vector, n int) error {
	v := args[0]
	if n == 0 {
		return nil
	}
	if d.merging {
		return d.addSketches(groups, v, n)
	}
	if err := d.precision(args, 0); err != nil {
		return err
	}
	if groups == nil {
		v, n = usedEntries(v, n)
	}
	var entries []uint64
	if !v.Const && v.Dict != nil && v.Dict.Len <= 2*n {
		entries = make([]uint64, v.Dict.Len)
		for c := range entries {
			entries[c] = HashAt(v.Dict, c)
		}
	}
	nulls := mayHaveNulls(v)
	for i := range n {
		if nulls && v.IsNull(i) {
			continue
		}
		var h uint64
		if entries != nil {
			h = entries[v.Codes[i]]
		} else {
			h = HashAt(v, i)
		}
		d.put(groupOf(groups, i), h)
	}
	return nil
}

func (d *distinctEstimate) put(g uint32, h uint64) {
	s := &d.sketches[g]
	s.p = d.p
	before := s.bytes()
	s.add(h)
	d.held += s.bytes() - before
}

func (d *distinctEstimate) addSketches(groups []uint32, v *column.Vector, n int) error {
	for i := range n {
		if v.IsNull(i) {
			continue
		}
		leaf, j := v.Leaf(i)
		o, err := decodeSketch(leaf.Str[j])
		if err != nil {
			return err
		}
		if err := d.mergeOne(groupOf(groups, i), o); err != nil {
			return err
		}
	}
	return nil
}

func (d *distinctEstimate) mergeOne(g uint32, o *distinctSketch) error {
	s := &d.sketches[g]
	if s.p == 0 {
		s.p = o.p
	}
	if o.p == 0 {
		return nil
	}
	if s.p != o.p {
		return fault(sqlerr.InvalidArgument, "sketches of different precision cannot be merged")
	}
	before := s.bytes()
	s.merge(o)
	d.held += s.bytes() - before
	return nil
}

func (d *distinctEstimate) Merge(other Accumulator, groups []uint32) error {
	o := other.(*distinctEstimate)
	if d.p == 0 {
		d.p = o.p
	}
	for i := range o.sketches {
		if err := d.mergeOne(groups[i], &o.sketches[i]); err != nil {
			return err
		}
	}
	return nil
}

func (d *distinctEstimate) Result() (*column.Vector, error) {
	out := column.New(d.result, len(d.sketches))
	for g := range d.sketches {
		s := &d.sketches[g]
		switch {
		case d.result.Kind == column.BigInt:
			out.I64[g] = s.estimate()
		case s.p == 0:
			out.SetNull(g)
		default:
			out.Str[g] = s.encode()
		}
	}
	return out, nil
}

func (d *distinctEstimate) Bytes() int64 { return int64(80*cap(d.sketches)) + d.held }

// sketchCardinality is cardinality of a sketch made by approx_set.
var sketchCardinality = try1(func(_ *Context, b string) (int64, bool, error) {
	s, err := decodeSketch(b)
	if err != nil {
		return 0, false, err
	}
	return s.estimate(), true, nil
})

// digestSketch is a merging t-digest: it keeps centroids that are single values
// at the ends of the distribution and grow towards its middle.
type digestSketch struct {
	centroids []centroid
	buffered  int // how many at the end are not merged in yet
	weight    float64
}

type centroid struct{ mean, weight float64 }

const (
	// digestSize bounds the centroids (to about 2 times as many): errors are
	// well under 1 % of rank, and much smaller at the ends.
	digestSize   = 200
	digestBuffer = 512
)

func (d *digestSketch) add(x, w float64) {
	d.centroids = append(d.centroids, centroid{x, w})
	d.weight += w
	if d.buffered++; d.buffered > digestBuffer {
		d.compress()
	}
}

func (d *digestSketch) sorted() {
	if d.buffered > 0 {
		slices.SortStableFunc(d.centroids, func(a, b centroid) int { return compareDoubles(a.mean, b.mean) })
		d.buffered = 0
	}
}

// compress merges neighbours as far as the scale function allows.
func (d *digestSketch) compress() {
	d.sorted()
	if len(d.centroids) <= digestSize {
		return
	}
	scale := func(q float64) float64 { return digestSize / (2 * math.Pi) * math.Asin(2*q-1) }
	out := d.centroids[:1]
	before := 0.0
	low := scale(0)
	for _, c := range d.centroids[1:] {
		last := &out[len(out)-1]
		if q := (before + last.weight + c.weight) / d.weight; scale(min(q, 1))-low <= 1 {
			last.weight += c.weight
			last.mean += (c.mean - last.mean) * c.weight / last.weight
			continue
		}
		before += last.weight
		low = scale(min(before/d.weight, 1))
		out = append(out, c)
	}
	d.centroids = out
}

func (d *digestSketch) merge(o *digestSketch) {
	for _, c := range o.centroids {
		d.add(c.mean, c.weight)
	}
}

// quantile returns the value below which the fraction q of the weight lies.
// Where the centroids are single values it is one of them.
func (d *digestSketch) quantile(q float64) float64 {
	d.sorted()
	target := q * d.weight
	seen := 0.0
	for i, c := range d.centroids {
		if seen+c.weight < target && i+1 < len(d.centroids) {
			seen += c.weight
			continue
		}
		if c.weight <= 1 || len(d.centroids) == 1 {
			return c.mean
		}
		// Inside a centroid the values are taken to lie evenly between its
		// neighbours.
		lo, hi := c.mean, c.mean
		if i > 0 {
			lo = (d.centroids[i-1].mean + c.mean) / 2
		}
		if i+1 < len(d.centroids) {
			hi = (c.mean + d.centroids[i+1].mean) / 2
		}
		return lo + (hi-lo)*min(1, max(0, (target-seen)/c.weight))
	}
	return math.NaN()
}

// percentile is approx_percentile.
type percentile struct {
	digests   []*digestSketch
	fractions []float64
	many      bool // the fractions are an array, so is the result
	weighted  bool
	from      *column.Type
	result    *column.Type
	held      int64
}

func (p *percentile) Grow(n int) { p.digests = grown(p.digests, n) }

func (p *percentile) readFractions(v *column.Vector, i int) error {
	bad := fault(sqlerr.InvalidArgument, "the percentile must be 0 to 1")
	if v.IsNull(i) {
		return bad
	}
	leaf, j := v.Leaf(i)
	if !p.many {
		p.fractions = []float64{leaf.F64[j]}
	} else {
		p.fractions = []float64{}
		for e := leaf.Offsets[j]; e < leaf.Offsets[j+1]; e++ {
			if leaf.Children[0].IsNull(int(e)) {
				return bad
			}
			f, k := leaf.Children[0].Leaf(int(e))
			p.fractions = append(p.fractions, f.F64[k])
		}
	}
	for _, f := range p.fractions {
		if !(f >= 0 && f <= 1) {
			return bad
		}
	}
	return nil
}

func (p *percentile) Add(groups []uint32, args []*column.Vector, n int) error {
	if n > 0 && p.fractions == nil {
		if err := p.readFractions(args[len(args)-1], 0); err != nil {
			return err
		}
	}
	for i := range n {
		if args[0].IsNull(i) || p.weighted && args[1].IsNull(i) {
			continue
		}
		w := 1.0
		if p.weighted {
			leaf, j := args[1].Leaf(i)
			if w = leaf.F64[j]; !(w > 0) {
				return fault(sqlerr.InvalidArgument, "the weight of a percentile must be above 0")
			}
		}
		leaf, j := args[0].Leaf(i)
		x := 0.0
		if p.from.Payload() == column.PayloadF64 {
			x = leaf.F64[j]
		} else {
			x = float64(leaf.I64[j])
		}
		d := p.digest(groupOf(groups, i))
		before := cap(d.centroids)
		d.add(x, w)
		p.held += int64(16 * (cap(d.centroids) - before))
	}
	return nil
}

func (p *percentile) digest(g uint32) *digestSketch {
	if p.digests[g] == nil {
		p.digests[g] = &digestSketch{}
		p.held += 64
	}
	return p.digests[g]
}

func (p *percentile) Merge(other Accumulator, groups []uint32) error {
	o := other.(*percentile)
	if p.fractions == nil {
		p.fractions = o.fractions
	}
	for i, d := range o.digests {
		if d != nil {
			p.digest(groups[i]).merge(d)
		}
	}
	return nil
}

func (p *percentile) Result() (*column.Vector, error) {
	out := newBuilder(p.result, len(p.digests))
	pushValue := func(v *column.Vector, x float64) {
		switch v.Type.Payload() {
		case column.PayloadF64:
			pushFloat(v, x)
		default:
			pushInt(v, int64(math.Round(x)))
		}
	}
	for _, d := range p.digests {
		switch {
		case d == nil || d.weight == 0:
			pushNull(out)
		case p.many:
			for _, f := range p.fractions {
				pushValue(out.Children[0], d.quantile(f))
			}
			pushEnd(out)
		default:
			pushValue(out, d.quantile(p.fractions[0]))
		}
	}
	return out, nil
}

func (p *percentile) Bytes() int64 { return int64(8*cap(p.digests)) + p.held }

// numericHistogram keeps a number of buckets and merges the two nearest when
// one more is needed.
type numericHistogram struct {
	groups  [][]centroid
	buckets int
	result  *column.Type
}

// maxBuckets bounds the work of each value.
const maxBuckets = 1000

func (h *numericHistogram) Grow(n int) { h.groups = grown(h.groups, n) }

func (h *numericHistogram) put(g uint32, c centroid) {
	list := h.groups[g]
	at, found := slices.BinarySearchFunc(list, c.mean, func(x centroid, m float64) int { return compareDoubles(x.mean, m) })
	if found {
		list[at].weight += c.weight
		return
	}
	list = slices.Insert(list, at, c)
	if len(list) > h.buckets {
		nearest := 0
		for i := 1; i+1 < len(list); i++ {
			if list[i+1].mean-list[i].mean < list[nearest+1].mean-list[nearest].mean {
				nearest = i
			}
		}
		a, b := list[nearest], list[nearest+1]
		w := a.weight + b.weight
		list[nearest] = centroid{mean: (a.mean*a.weight + b.mean*b.weight) / w, weight: w}
		list = slices.Delete(list, nearest+1, nearest+2)
	}
	h.groups[g] = list
}

func (h *numericHistogram) Add(groups []uint32, args []*column.Vector, n int) error {
	for i := range n {
		if h.buckets == 0 {
			leaf, j := args[0].Leaf(i)
			if args[0].IsNull(i) || leaf.I64[j] < 2 || leaf.I64[j] > maxBuckets {
				return fault(sqlerr.InvalidArgument, "numeric_histogram needs 2 to %d buckets", maxBuckets)
			}
			h.buckets = int(leaf.I64[j])
		}
		w := 1.0
		if args[1].IsNull(i) || len(args) > 2 && args[2].IsNull(i) {
			continue
		}
		if len(args) > 2 {
			leaf, j := args[2].Leaf(i)
			w = leaf.F64[j]
		}
		leaf, j := args[1].Leaf(i)
		h.put(groupOf(groups, i), centroid{leaf.F64[j], w})
	}
	return nil
}

func (h *numericHistogram) Merge(other Accumulator, groups []uint32) error {
	o := other.(*numericHistogram)
	h.buckets = max(h.buckets, o.buckets)
	for i, list := range o.groups {
		for _, c := range list {
			h.put(groups[i], c)
		}
	}
	return nil
}

func (h *numericHistogram) Result() (*column.Vector, error) {
	out := newBuilder(h.result, len(h.groups))
	for _, list := range h.groups {
		if len(list) == 0 {
			pushNull(out)
			continue
		}
		for _, c := range list {
			pushFloat(out.Children[0], c.mean)
			pushFloat(out.Children[1], c.weight)
		}
		pushEnd(out)
	}
	return out, nil
}

func (h *numericHistogram) Bytes() int64 {
	b := int64(24 * cap(h.groups))
	for _, list := range h.groups {
		b += int64(16 * cap(list))
	}
	return b
}

func addSketches(l *library) {
	estimate := func(merging bool) func([]*column.Type, *column.Type) Accumulator {
		return func(_ []*column.Type, result *column.Type) Accumulator {
			return &distinctEstimate{result: result, merging: merging}
		}
	}
	l.aggregateFunc(Doc{Name: "approx_distinct", Signature: "approx_distinct(x[, standard error]) → bigint",
		Summary: "Estimates how many different values there are, with a standard error of 2.3 %; a few hundred are counted exactly."},
		agg("T", "bigint", estimate(false)).withoutDuplicates(), agg("T, double", "bigint", estimate(false)))
	l.aggregateFunc(Doc{Name: "approx_set", Signature: "approx_set(x[, standard error]) → varbinary", Summary: "Makes a sketch of the different values, for cardinality and merge."},
		agg("T", "varbinary", estimate(false)).withoutDuplicates(), agg("T, double", "varbinary", estimate(false)))
	l.aggregateFunc(Doc{Name: "merge", Signature: "merge(sketch) → varbinary", Summary: "Joins sketches made by approx_set."},
		agg("varbinary", "varbinary", estimate(true)).withoutDuplicates())

	var forms []aggregateForm
	for _, t := range []string{"bigint", "double", "real"} {
		for _, weighted := range []bool{false, true} {
			for _, many := range []bool{false, true} {
				args, result, fraction := t, t, "double"
				if weighted {
					args += ", double"
				}
				if many {
					fraction, result = "array(double)", "array("+t+")"
				}
				forms = append(forms, agg(args+", "+fraction, result, func(args []*column.Type, result *column.Type) Accumulator {
					return &percentile{many: many, weighted: weighted, from: args[0], result: result}
				}))
			}
		}
	}
	l.aggregateFunc(Doc{Name: "approx_percentile", Signature: "approx_percentile(x[, weight], percentile or array of them)",
		Summary: "Estimates the value below which a fraction of the values lies."}, forms...)
	histogram := func(_ []*column.Type, result *column.Type) Accumulator { return &numericHistogram{result: result} }
	l.aggregateFunc(Doc{Name: "numeric_histogram", Signature: "numeric_histogram(buckets, x[, weight]) → map", Summary: "Estimates a histogram of numbers: bucket centres and their weights."},
		agg("bigint, double", "map(double,double)", histogram), agg("bigint, double, double", "map(double,double)", histogram))
}
