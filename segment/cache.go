package segment

import (
	"sync"
	"sync/atomic"
)

// Cache keeps decoded parts of segments (directories, shapes, dictionaries) and records
// for any number of readers, up to a number of bytes. What was not used for the
// longest time goes first; of records before that, when they are more than their
// share. It is safe for concurrent use.
type Cache struct {
	limit int64
	mu    struct {
		sync.Mutex
		entries  map[cacheKey]*cacheEntry
		readers  map[uint64]*cacheEntry // one of the entries of each reader, from which left and right lead to the others
		ring     cacheEntry             // next is the most recently used
		records  cacheEntry             // the same for records
		clock    uint64                 // counts uses
		used     int64
		scanned  int64 // of used: what scans keep of their blocks
		recorded int64 // of used: records
		hits     int64
		misses   int64
	}
}

// What a cached part is.
const (
	cachedDirectory  = iota
	cachedStructure  // number 0
	cachedRows       // shapes of the rows of row block number
	cachedBundle     // page number
	cachedDictPage   // page number
	cachedDictionary // column number: as a vector
	cachedPlan       // node number
	cachedMembers    // node number
	cachedBits       // node number
	cachedTimes      // node number
	cachedCounts     // node number
	cachedDerived    // place of the column's details
	cachedSharing    // the same
	cachedCodes      // page number: codes that were read one by one
	cachedFrame      // page number, and number of the text frame: the same for values
	cachedPassed     // number of the row block
	cachedBlockTimes // node number
	cachedPathCodes  // node number, and number of the row block
	cachedGrams      // page number
	cachedSeconds    // node number, and number of the row block
	cachedRowsOf     // node number
	cachedRecord     // row
	cachedOwned      // of an Owner
)

type cacheKey struct {
	reader uint64
	what   uint32
	number uint32
	part   uint32
}

type cacheEntry struct {
	key         cacheKey
	value       any
	size        int64
	last        uint64 // use, by the cache's clock
	prev, next  *cacheEntry
	left, right *cacheEntry // entries of the same reader
}

// entryOverhead is what an entry costs besides its value.
const entryOverhead = 160

// DefaultCacheBytes is the limit of the cache that a reader makes for itself.
const DefaultCacheBytes = 32 << 20

// NewCache returns a cache for about limit bytes.
func NewCache(limit int64) *Cache {
	c := &Cache{limit: limit}
	c.mu.entries, c.mu.readers = map[cacheKey]*cacheEntry{}, map[uint64]*cacheEntry{}
	c.mu.ring.prev, c.mu.ring.next = &c.mu.ring, &c.mu.ring
	c.mu.records.prev, c.mu.records.next = &c.mu.records, &c.mu.records
	return c
}

// CacheStats says how a [Cache] is doing.
type CacheStats struct {
	Limit, Used  int64 // bytes
	Hits, Misses int64
}

// Stats returns the present figures.
func (c *Cache) Stats() CacheStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return CacheStats{Limit: c.limit, Used: c.mu.used, Hits: c.mu.hits, Misses: c.mu.misses}
}

var readerNumbers atomic.Uint64

func (c *Cache) get(k cacheKey) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.mu.entries[k]
	if e == nil {
		c.mu.misses++
		return nil
	}
	c.mu.hits++
	c.touch(e)
	return e.value
}

// touch notes a use.
func (c *Cache) touch(e *cacheEntry) {
	e.unlink()
	c.front(e)
}

// asked stands for a value that was asked for so often, and not kept.
type asked struct{ times int }

// again reports whether the value under a key, which is not in the cache, was asked
// for before. Large parts that single records need are kept only then: or else records from
// all over would drive out what every one of them needs.
func (c *Cache) again(k cacheKey) bool { return c.asked(k) > 0 }

// asked returns how often the value under a key, which is not in the cache, was asked for
// before, as far as is known.
func (c *Cache) asked(k cacheKey) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.mu.entries[k]
	if e == nil {
		c.add(&cacheEntry{key: k, value: &asked{1}, size: entryOverhead})
		return 0
	}
	if a, not := e.value.(*asked); not {
		a.times++
		return a.times - 1
	}
	return 1
}

// put keeps a value, unless another goroutine was faster: then its value is
// returned, so that all use the same one.
func (c *Cache) put(k cacheKey, value any, size int64) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.mu.entries[k]; e != nil {
		if _, not := e.value.(*asked); !not {
			return e.value
		}
		c.remove(e)
	}
	c.add(&cacheEntry{key: k, value: value, size: size + entryOverhead})
	return value
}

// add puts an entry in and others out, until there is room for it.
func (c *Cache) add(e *cacheEntry) {
	c.mu.entries[e.key] = e
	if first := c.mu.readers[e.key.reader]; first == nil {
		e.left, e.right = e, e
		c.mu.readers[e.key.reader] = e
	} else {
		e.left, e.right = first, first.right
		e.left.right, e.right.left = e, e
	}
	c.count(e, e.size)
	c.front(e)
	for c.mu.recorded > c.limit/recordsShare && c.mu.records.prev != e {
		c.remove(c.mu.records.prev)
	}
	for c.mu.used > c.limit {
		old := c.mu.ring.prev
		if r := c.mu.records.prev; r != &c.mu.records && r != e && (old == &c.mu.ring || old == e || r.last < old.last) {
			old = r
		}
		if old == &c.mu.ring || old == e {
			return
		}
		c.remove(old)
	}
}

// count adds to the sums of sizes that an entry belongs to.
func (c *Cache) count(e *cacheEntry, size int64) {
	c.mu.used += size
	_, not := e.value.(*asked)
	switch {
	case not:
	case e.key.ofScan():
		c.mu.scanned += size
	case e.key.what == cachedRecord:
		c.mu.recorded += size
	}
}

// ofScan tells what scans keep of every block that they read.
func (k cacheKey) ofScan() bool {
	switch k.what {
	case cachedPathCodes, cachedGrams, cachedSeconds, cachedRowsOf:
		return true
	}
	return false
}

// scansShare is the part of the cache that scans may fill with what they keep of blocks.
// Of a lake in which that is more, some blocks stay and the others are read each time; or else
// every scan would drive out what the next one needs first, and what all reading needs.
const scansShare = 2

// roomForScans reports whether a scan may keep more.
func (c *Cache) roomForScans() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.scanned < c.limit/scansShare
}

func (c *Cache) front(e *cacheEntry) {
	r := &c.mu.ring
	if e.key.what == cachedRecord {
		r = &c.mu.records
	}
	c.mu.clock++
	e.last = c.mu.clock
	e.prev, e.next = r, r.next
	r.next.prev = e
	r.next = e
}

func (e *cacheEntry) unlink() { e.prev.next, e.next.prev = e.next, e.prev }

func (c *Cache) remove(e *cacheEntry) {
	e.unlink()
	delete(c.mu.entries, e.key)
	if e.right == e {
		delete(c.mu.readers, e.key.reader)
	} else {
		e.left.right, e.right.left = e.right, e.left
		c.mu.readers[e.key.reader] = e.right
	}
	c.count(e, -e.size)
}

// drop removes everything of a reader.
func (c *Cache) drop(reader uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for e := c.mu.readers[reader]; e != nil; e = c.mu.readers[reader] {
		c.remove(e)
	}
}

// Owner keeps things of its own in a [Cache], beside what readers keep there. It is
// safe for concurrent use.
type Owner struct {
	cache  *Cache
	number uint64
}

// NewOwner returns an owner with nothing in the cache.
func (c *Cache) NewOwner() *Owner { return &Owner{cache: c, number: readerNumbers.Add(1)} }

// Get returns what was kept under a number; nil when there is nothing any more.
func (o *Owner) Get(number uint32) any {
	return o.cache.get(cacheKey{reader: o.number, what: cachedOwned, number: number})
}

// Put keeps a value of about size bytes under a number. It must not change any more.
// It returns the value to use: that of a faster goroutine if there was one.
func (o *Owner) Put(number uint32, value any, size int64) any {
	return o.cache.put(cacheKey{reader: o.number, what: cachedOwned, number: number}, value, size)
}

// Drop removes everything of the owner.
func (o *Owner) Drop() { o.cache.drop(o.number) }

// replace keeps a value in the place of an older one.
func (c *Cache) replace(k cacheKey, value any, size int64) {
	c.mu.Lock()
	if e := c.mu.entries[k]; e != nil {
		c.remove(e)
	}
	c.mu.Unlock()
	c.put(k, value, size)
}
