package api

func (c *call) trailARN(ref string) (string, error) {
	return "", fail("ResourceNotFound", "there is no trail %s", shorten(ref))
}
