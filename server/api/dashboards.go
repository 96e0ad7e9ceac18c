package api

// resolvedDashboard is a dashboard and its ARN.
type resolvedDashboard struct{ arn string }

func (c *call) resolveDashboard(ref string) (*resolvedDashboard, error) {
	return nil, fail("ResourceNotFound", "there is no dashboard %s", shorten(ref))
}
