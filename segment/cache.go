package segment

import (
	"sync"
	"sync/atomic"
)

// Cache keeps decoded parts of segments (directories, shapes, dictionaries) for
// any number of readers, up to a number of bytes. What was not used for the
// longest time goes first. It is safe for concurrent use.
type Cache struct {
	limit int64
	mu    struct {
		sync.Mutex
		entries map[cacheKey]*cacheEntry
		ring    cacheEntry // next is the most recently used
		used    int64
		scanned int64 // of used: what scans keep of their blocks
		hits    int64
		misses  int64
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
	cachedOwned      // of an Owner
)

type cacheKey struct {
	reader uint64
	what   uint32
	number uint32
	part   uint32
}

type cacheEntry struct {
	key        cacheKey
	value      any
	size       int64
	prev, next *cacheEntry
}

// entryOverhead is what an entry costs besides its value.
const entryOverhead = 160

// DefaultCacheBytes is the limit of the cache that a reader makes for itself.
const DefaultCacheBytes = 32 << 20

// NewCache returns a cache for about limit bytes.
func NewCache(limit int64) *Cache {
	c := &Cache{limit: limit}
	c.mu.entries = map[cacheKey]*cacheEntry{}
	c.mu.ring.prev, c.mu.ring.next = &c.mu.ring, &c.mu.ring
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
	if c.mu.ring.next != e {
		e.unlink()
		c.front(e)
	}
	return e.value
}

// asked stands for a value that was asked for once and not kept.
type asked struct{}

// again reports whether the value under a key, which is not in the cache, was asked
// for before. Large parts that single records need are kept only then: or else records from
// all over would drive out what every one of them needs.
func (c *Cache) again(k cacheKey) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.mu.entries[k]
	if e == nil {
		e = &cacheEntry{key: k, value: asked{}, size: entryOverhead}
		c.mu.entries[k] = e
		c.mu.used += e.size
		c.front(e)
		for c.mu.used > c.limit && c.mu.ring.prev != e {
			c.remove(c.mu.ring.prev)
		}
		return false
	}
	return true
}

// put keeps a value, unless another goroutine was faster: then its value is
// returned, so that all use the same one.
func (c *Cache) put(k cacheKey, value any, size int64) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.mu.entries[k]; e != nil {
		if _, not := e.value.(asked); !not {
			return e.value
		}
		c.remove(e)
	}
	e := &cacheEntry{key: k, value: value, size: size + entryOverhead}
	c.mu.entries[k] = e
	c.mu.used += e.size
	if k.ofScan() {
		c.mu.scanned += e.size
	}
	c.front(e)
	for c.mu.used > c.limit && c.mu.ring.prev != e {
		c.remove(c.mu.ring.prev)
	}
	return value
}

// ofScan tells what scans keep of every block that they read.
func (k cacheKey) ofScan() bool { return k.what == cachedPathCodes || k.what == cachedGrams }

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
	e.prev, e.next = r, r.next
	r.next.prev = e
	r.next = e
}

func (e *cacheEntry) unlink() { e.prev.next, e.next.prev = e.next, e.prev }

func (c *Cache) remove(e *cacheEntry) {
	e.unlink()
	delete(c.mu.entries, e.key)
	c.mu.used -= e.size
	if _, not := e.value.(asked); !not && e.key.ofScan() {
		c.mu.scanned -= e.size
	}
}

// drop removes everything of a reader.
func (c *Cache) drop(reader uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, e := range c.mu.entries {
		if k.reader == reader {
			c.remove(e)
		}
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
