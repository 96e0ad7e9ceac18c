package api

import (
	"strings"

	"github.com/cairndb/cairn/server/auth"
)

// arn is the name of a resource: arn:aws:cloudtrail:REGION:ACCOUNT:TYPE/ID.
type arn struct{ region, account, kind, id string }

func (a arn) String() string {
	return "arn:aws:cloudtrail:" + a.region + ":" + a.account + ":" + a.kind + "/" + a.id
}

// The types of resources.
const (
	storeARN     = "eventdatastore"
	channelARN   = "channel"
	trailARN     = "trail"
	dashboardARN = "dashboard"
)

// parseARN reads the ARN of a resource of ours; partitions other than aws are taken, too.
func parseARN(s string) (a arn, ok bool) {
	parts := strings.SplitN(s, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || !strings.HasPrefix(parts[1], "aws") || parts[2] != "cloudtrail" {
		return arn{}, false
	}
	a.region, a.account = parts[3], parts[4]
	if a.kind, a.id, ok = strings.Cut(parts[5], "/"); !ok || a.region == "" || !auth.IsAccount(a.account) || a.id == "" {
		return arn{}, false
	}
	return a, true
}

// arnOf names a resource of the caller's account and region.
func (c *call) arnOf(kind, id string) string { return arn{c.region, c.account, kind, id}.String() }
