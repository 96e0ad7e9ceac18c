package api

// putAuditEvents stores events from outside AWS.
func (c *call) putAuditEvents(body []byte) (any, error) {
	return nil, fail("UnsupportedOperation", "not yet")
}
