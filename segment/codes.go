package segment

import (
	"context"
	"fmt"
	"slices"

	"github.com/cairndb/cairn/segment/column"
)

// pathDict is the dictionary of a path: the distinct texts of its columns,
// unescaped, and NULL as the last entry.
type pathDict struct {
	plan   *plan
	vector *column.Vector
	first  []uint32   // per column, the code of its entry 0 unless remap is set
	remap  [][]uint32 // per column: entry → code, where several entries have the same text
	null   uint32
}

// pathDict returns nil when not all values at p come from dictionaries.
func (r *Reader) pathDict(ctx context.Context, p PathID) (*pathDict, error) {
	if p&invented != 0 {
		return nil, nil
	}
	k := r.key(cachedDictionary, uint32(p))
	if pd, ok := r.cache.get(k).(*pathDict); ok {
		return pd, nil
	}
	d, err := r.directory(ctx)
	if err != nil {
		return nil, err
	}
	if int(p) >= len(d.parent) {
		return nil, fmt.Errorf("path %d is not of this segment", p)
	}
	if !d.simple(uint32(p)) {
		return nil, nil
	}
	from, to := d.columnsAt(uint32(p))
	for c := from; c < to; c++ {
		if !d.columns[c].listed() {
			return nil, nil
		}
	}
	pl, err := r.simplePlan(ctx, p)
	if err != nil {
		return nil, err
	}
	pd := &pathDict{plan: pl}
	var all texts
	escapes := to-from > 1
	for c := from; c < to; c++ {
		pd.first = append(pd.first, uint32(len(all.ends)))
		esc, err := r.entries(ctx, d, &d.columns[c], &all)
		if err != nil {
			return nil, err
		}
		escapes = escapes || esc
	}
	if escapes {
		pd.unify(&all)
	}
	pd.null = uint32(len(all.ends))
	data := slices.Clip(all.data)
	v := &column.Vector{Type: column.VarcharType, Len: len(all.ends) + 1}
	v.Str = append(stringsOf(data, all.ends), "")
	v.SetNull(int(pd.null))
	pd.vector = v
	size := int64(len(data)) + int64(v.Len)*17
	for _, m := range pd.remap {
		size += int64(len(m)) * 4
	}
	return r.cache.put(k, pd, size).(*pathDict), nil
}

// entries appends the dictionary of a column, unescaped. escaped reports that
// something had to be unescaped.
func (r *Reader) entries(ctx context.Context, d *directory, c *dirColumn, all *texts) (escaped bool, err error) {
	if c.encoding == encTiny {
		var t tinyColumn
		if err := r.tiny(ctx, d, c, &t); err != nil {
			return false, err
		}
		for _, e := range t.entries {
			if c.kind == leafString && slices.Contains(e, '\\') {
				all.data = Unescape(all.data, e)
				escaped = true
			} else {
				all.data = append(all.data, e...)
			}
			all.ends = append(all.ends, uint32(len(all.data)))
		}
		return escaped, nil
	}
	escaped = c.kind == leafString && c.flags&columnEscapes != 0
	for page := range d.detail(c).ends {
		// Not through the cache: what is kept is the whole dictionary.
		t, err := r.readDictPage(ctx, d, c, page)
		if err != nil {
			return false, err
		}
		for i := range t.ends {
			if escaped {
				all.data = Unescape(all.data, t.at(i))
			} else {
				all.data = append(all.data, t.at(i)...)
			}
			all.ends = append(all.ends, uint32(len(all.data)))
		}
	}
	return escaped, nil
}

// unify gives entries with the same text one code.
func (pd *pathDict) unify(all *texts) {
	code := make(map[string]uint32, len(all.ends))
	var out texts
	moved := make([]uint32, len(all.ends))
	for i := range all.ends {
		v := all.at(i)
		n, ok := code[string(v)]
		if !ok {
			n = uint32(len(out.ends))
			out.add(v)
			code[string(v)] = n
		}
		moved[i] = n
	}
	pd.remap = make([][]uint32, len(pd.first))
	for i, f := range pd.first {
		end := len(moved)
		if i+1 < len(pd.first) {
			end = int(pd.first[i+1])
		}
		pd.remap[i] = moved[f:end]
	}
	*all = out
}

// codes returns a dictionary vector for the selected rows.
func (r *Reader) codes(ctx context.Context, pd *pathDict, sel Selection) (*column.Vector, error) {
	n := sel.Len()
	out := &column.Vector{Type: column.VarcharType, Len: n, Dict: pd.vector, Codes: make([]uint32, n)}
	for at := 0; at < n; {
		b := sel.row(at) / BlockRows
		end := at + 1
		if sel.List == nil {
			end = min(n, (b+1)*BlockRows-sel.From)
		} else {
			for end < n && int(sel.List[end])/BlockRows == b {
				end++
			}
		}
		part := Selection{List: sel.List}
		if sel.List != nil {
			part.List = sel.List[at:end]
		} else {
			part.From, part.To = sel.From+at, sel.From+end
		}
		if err := r.blockCodes(ctx, pd, b, part, out.Codes[at:end]); err != nil {
			return nil, err
		}
		at = end
	}
	return out, nil
}

// blockCodes fills dst with the codes of rows of one row block.
func (r *Reader) blockCodes(ctx context.Context, pd *pathDict, b int, sel Selection, dst []uint32) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	kept, err := r.keptBlock(ctx, pd, b, len(dst))
	if err != nil {
		return err
	}
	if kept != nil {
		kept.read(sel, b*BlockRows, dst)
		return nil
	}
	return r.readBlockCodes(ctx, pd, b, sel, dst)
}

// readBlockCodes is blockCodes from the pages.
func (r *Reader) readBlockCodes(ctx context.Context, pd *pathDict, b int, sel Selection, dst []uint32) error {
	d, p := pd.plan.d, pd.plan
	var shapes []uint16
	if !p.full {
		var err error
		if shapes, err = r.rowShapes(ctx, d, b); err != nil {
			return err
		}
	}
	if len(p.columns) == 1 && sel.List == nil {
		return r.rangeCodes(ctx, pd, b, sel.From-b*BlockRows, sel.To-b*BlockRows, shapes, dst)
	}
	for i := range dst {
		dst[i] = pd.null
	}
	for k, c := range p.columns {
		codes := columnCodes{few: sel.Len() <= fewRows}
		if err := codes.open(ctx, r, d, &d.columns[c], b); err != nil {
			return err
		}
		err := func() error {
			defer codes.close()
			want, passed, row := uint32(k)+1, 0, b*BlockRows
			for i := range dst {
				to := sel.row(i)
				if p.full {
					passed = to - b*BlockRows
				} else {
					for _, s := range shapes[row-b*BlockRows : to-b*BlockRows] {
						if p.variant[s] == want {
							passed++
						}
					}
					row = to
					if p.variant[shapes[row-b*BlockRows]] != want {
						continue
					}
				}
				if passed >= codes.n {
					return r.damaged(d.block(d.columns[c].page), errShape)
				}
				code, err := codes.at(passed)
				if err != nil {
					return r.damaged(d.block(d.columns[c].page), err)
				}
				dst[i] = pd.code(k, code)
			}
			return nil
		}()
		if err != nil {
			return err
		}
	}
	return nil
}

// code translates an entry of column k.
func (pd *pathDict) code(k int, entry uint32) uint32 {
	if pd.remap != nil {
		return pd.remap[k][entry]
	}
	return pd.first[k] + entry
}

// rangeCodes is readBlockCodes for all rows of a range and a single column, the common case.
func (r *Reader) rangeCodes(ctx context.Context, pd *pathDict, b, from, to int, shapes []uint16, dst []uint32) error {
	d, p := pd.plan.d, pd.plan
	variant := p.variant
	before, n := from, to-from
	if !p.full {
		before, n = 0, 0
		for _, s := range shapes[:from] {
			before += int(variant[s]) // 0 or 1
		}
		for _, s := range shapes[from:to] {
			n += int(variant[s])
		}
	}
	if n == 0 {
		for i := range dst {
			dst[i] = pd.null
		}
		return nil
	}
	c := &d.columns[p.columns[0]]
	var codes columnCodes
	if err := codes.open(ctx, r, d, c, b); err != nil {
		return err
	}
	defer codes.close()
	if before+n > codes.n {
		return r.damaged(d.block(c.page), errShape)
	}
	// The codes go to the end of dst and are spread from there: a code never
	// has to move behind one that is still to be read.
	packed := dst[len(dst)-n:]
	if err := codes.read(packed, before); err != nil {
		return r.damaged(d.block(c.page), fmt.Errorf("codes of %s: %w", d.name(c), err))
	}
	if pd.remap != nil {
		for i, e := range packed {
			packed[i] = pd.remap[0][e]
		}
	}
	if n == len(dst) {
		return nil
	}
	k := 0
	for i, s := range shapes[from:to] {
		if variant[s] != 0 {
			dst[i] = packed[k]
			k++
		} else {
			dst[i] = pd.null
		}
	}
	return nil
}

// columnCodes are the codes of a column in one row block.
type columnCodes struct {
	n       int // values in the row block
	from    int // index of its first value in the page
	page    codesPage
	tiny    *tinyColumn
	flat    []uint32 // of a derived column
	release func()
	// few is set before open when a few codes will be read: then a page that was
	// asked for before is kept unpacked, as for single records.
	few bool
}

// fewRows is how many rows of a block may be asked for to count as few.
const fewRows = 8

// blocks returns how many row blocks the selected rows are in.
func (s Selection) blocks() int {
	if s.Len() == 0 {
		return 0
	}
	if s.List == nil {
		return (s.To-1)/BlockRows - s.From/BlockRows + 1
	}
	n := 1
	for i, row := range s.List[1:] {
		if row/BlockRows != s.List[i]/BlockRows {
			n++
		}
	}
	return n
}

func (cc *columnCodes) open(ctx context.Context, r *Reader, d *directory, c *dirColumn, b int) error {
	if c.encoding == encTiny {
		cc.tiny = new(tinyColumn)
		if err := r.tiny(ctx, d, c, cc.tiny); err != nil {
			return err
		}
		cc.from = int(cc.tiny.starts[b])
		cc.n = int(cc.tiny.starts[b+1]) - cc.from
		return nil
	}
	det := d.detail(c)
	starts := d.groups[det.group]
	cc.n = int(starts[b+1] - starts[b])
	if c.encoding == encDerived {
		return cc.derive(ctx, r, d, c, b, nil)
	}
	if cc.n == 0 || det.distinct == 1 {
		cc.page = codesPage{mode: codesConstant, n: cc.n, limit: 1}
		return nil
	}
	ends := d.cuts[det.group]
	k, first := pageOf(ends, starts[b])
	number := det.codesPage + uint32(k)
	cc.from = int(starts[b] - first)
	if cc.few {
		cu := cursor{c: c, det: det}
		var err error
		cc.page, err = r.codesPage(ctx, d, &cu, number, int(ends[k]-first))
		cc.release = cu.release
		return err
	}
	page, release, err := r.page(ctx, d, number)
	if err != nil {
		return err
	}
	cc.release = release
	if cc.page, err = openCodes(page, int(ends[k]-first), det.distinct, nil); err != nil {
		release()
		cc.release = nil
		return r.damaged(d.block(number), fmt.Errorf("codes of %s: %w", d.name(c), err))
	}
	return nil
}

func (cc *columnCodes) close() {
	if cc.release != nil {
		cc.release()
	}
}

// at returns the code of value i of the row block.
func (cc *columnCodes) at(i int) (uint32, error) {
	switch {
	case cc.tiny != nil:
		return uint32(cc.tiny.code(cc.from + i)), nil
	case cc.flat != nil:
		return cc.flat[i], nil
	}
	return cc.page.at(cc.from + i)
}

// read fills dst with the codes of the values from index from on.
func (cc *columnCodes) read(dst []uint32, from int) error {
	switch {
	case cc.tiny != nil:
		for i := range dst {
			dst[i] = uint32(cc.tiny.code(cc.from + from + i))
		}
		return nil
	case cc.flat != nil:
		copy(dst, cc.flat[from:])
		return nil
	}
	return cc.page.read(dst, cc.from+from)
}

// Dict returns the dictionary that [Reader.Text] uses for p: distinct texts,
// then one NULL entry. The pointer stays the same as long as the cache holds
// it; the content always does. ok is false when Text gives flat vectors for p.
func (r *Reader) Dict(ctx context.Context, p PathID) (dict *column.Vector, ok bool, err error) {
	pd, err := r.pathDict(ctx, p)
	if err != nil || pd == nil {
		return nil, false, err
	}
	return pd.vector, true, nil
}

// Find looks a text up in the dictionary of p. ok is false when p has none;
// found is false when no row has the value. In segments of which the
// dictionary is not in memory it reads a few of its pages.
func (r *Reader) Find(ctx context.Context, p PathID, value string) (code uint32, found, ok bool, err error) {
	d, err := r.directory(ctx)
	if err != nil {
		return 0, false, false, err
	}
	if p&invented != 0 || int(p) >= len(d.parent) || !d.simple(uint32(p)) {
		return 0, false, false, nil
	}
	from, to := d.columnsAt(uint32(p))
	for c := from; c < to; c++ {
		if !d.columns[c].listed() {
			return 0, false, false, nil
		}
	}
	if from == to {
		return 0, false, true, nil
	}
	if c := &d.columns[from]; to-from == 1 && c.coded() && (c.kind != leafString || c.flags&columnEscapes == 0) {
		code, found, err = r.findEntry(ctx, d, c, value)
		return code, found, true, err
	}
	pd, err := r.pathDict(ctx, p)
	if err != nil {
		return 0, false, false, err
	}
	for i, s := range pd.vector.Str[:pd.null] {
		if s == value {
			return uint32(i), true, true, nil
		}
	}
	return 0, false, true, nil
}

// findEntry searches the sorted dictionary of one column.
func (r *Reader) findEntry(ctx context.Context, d *directory, c *dirColumn, value string) (code uint32, found bool, err error) {
	det := d.detail(c)
	if det.outside(c, value) {
		return 0, false, nil
	}
	lo, hi := 0, len(det.ends)-1
	for {
		m := (lo + hi) / 2
		t, err := r.dictPage(ctx, d, c, m)
		if err != nil {
			return 0, false, err
		}
		n := len(t.ends)
		switch {
		case string(t.at(0)) > value && m > lo:
			hi = m - 1
		case string(t.at(n-1)) < value && m < hi:
			lo = m + 1
		default:
			i, j := 0, n
			for i < j {
				if k := (i + j) / 2; string(t.at(k)) < value {
					i = k + 1
				} else {
					j = k
				}
			}
			if i < n && string(t.at(i)) == value {
				first := uint32(0)
				if m > 0 {
					first = det.ends[m-1]
				}
				return first + uint32(i), true, nil
			}
			return 0, false, nil
		}
	}
}

// outside reports whether the bounds of a column rule a raw value out.
func (det *columnDetail) outside(c *dirColumn, value string) bool {
	if c.flags&columnBounds == 0 {
		return false
	}
	if c.flags&columnTimes != 0 {
		sec, ok := parseTime([]byte(value))
		return !ok || sec < det.from || sec > det.to
	}
	if value < string(det.min) {
		return true
	}
	head := value
	if c.flags&columnMaxCut != 0 && len(head) > len(det.max) {
		head = head[:len(det.max)]
	}
	return head > string(det.max)
}

// Counts returns the dictionary of p and how many rows of the segment have
// each entry, the last being NULL, from metadata alone. ok is false where
// Text gives flat vectors, and for large dictionaries, where counting codes costs no more.
func (r *Reader) Counts(ctx context.Context, p PathID) (dict *column.Vector, counts []int64, ok bool, err error) {
	d, err := r.directory(ctx)
	if err != nil {
		return nil, nil, false, err
	}
	if p&invented != 0 || int(p) >= len(d.parent) || !d.simple(uint32(p)) {
		return nil, nil, false, nil
	}
	from, to := d.columnsAt(uint32(p))
	for c := from; c < to; c++ {
		if col := &d.columns[c]; !col.listed() || col.coded() && col.flags&columnCounts == 0 && d.detail(col).distinct > 1 {
			return nil, nil, false, nil
		}
	}
	pd, err := r.pathDict(ctx, p)
	if err != nil {
		return nil, nil, false, err
	}
	k := r.key(cachedCounts, uint32(p))
	if c, ok := r.cache.get(k).([]int64); ok && len(c) == pd.vector.Len {
		return pd.vector, c, true, nil
	}
	counts = make([]int64, pd.vector.Len)
	rest := int64(r.rows)
	for i, c := range pd.plan.columns {
		n, err := r.columnCounts(ctx, d, &d.columns[c], func(entry uint32, n int64) { counts[pd.code(i, entry)] += n })
		if err != nil {
			return nil, nil, false, err
		}
		rest -= n
	}
	if rest < 0 {
		return nil, nil, false, r.damaged(0, fmt.Errorf("%s has more values than there are rows", d.name(&d.columns[from])))
	}
	counts[pd.null] = rest
	return pd.vector, r.cache.put(k, counts, int64(len(counts))*8).([]int64), true, nil
}

// columnCounts tells how often each entry of a dictionary occurs.
func (r *Reader) columnCounts(ctx context.Context, d *directory, c *dirColumn, fn func(entry uint32, n int64)) (total int64, err error) {
	if c.encoding == encTiny {
		var t tinyColumn
		if err := r.tiny(ctx, d, c, &t); err != nil {
			return 0, err
		}
		for i := range t.n {
			fn(uint32(t.code(i)), 1)
		}
		return int64(t.n), nil
	}
	det := d.detail(c)
	if det.distinct == 1 {
		fn(0, int64(c.n))
		return int64(c.n), nil
	}
	number := det.countsPage(d, c)
	page, release, err := r.page(ctx, d, number)
	if err != nil {
		return 0, err
	}
	defer release()
	in, err := maybeUnsqueezed(page, 5*det.distinct)
	if err != nil {
		return 0, r.damaged(d.block(number), fmt.Errorf("counts of %s: %w", d.name(c), err))
	}
	for i := range det.distinct {
		n := int64(in.count(int(c.n)))
		total += n
		fn(uint32(i), n)
	}
	if in.bad || len(in.b) != 0 || total != int64(c.n) {
		return 0, r.damaged(d.block(number), fmt.Errorf("counts of %s: they do not add up to %d", d.name(c), c.n))
	}
	return total, nil
}

func (det *columnDetail) countsPage(d *directory, c *dirColumn) uint32 {
	return det.codesPage + d.codePages(c, det)
}
