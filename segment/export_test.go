package segment

// DropDictionaries removes what Record keeps besides directory and shapes.
func (r *Reader) DropDictionaries() {
	c := r.cache
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, e := range c.mu.entries {
		if k.what != cachedDirectory && k.what != cachedStructure {
			c.remove(e)
		}
	}
}
