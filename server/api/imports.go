package api

// importing reports whether an import into a store is going on.
func (s *API) importing(string) (bool, error) { return false, nil }
