package column

import (
	"fmt"
	"sync"
	"time"
)

// Time zones of "timestamp with time zone" values are numbers into a table
// that grows for the life of the process. Number 0 is UTC. Only names that
// time.LoadLocation knows, and fixed offsets, get a number, so the table is
// bounded by the time zone database and the 1,681 whole-minute offsets that
// SQL can write.
var zones = struct {
	sync.RWMutex
	locs   []*time.Location
	byName map[string]uint16
}{locs: []*time.Location{time.UTC}, byName: map[string]uint16{"UTC": 0, "Z": 0}}

// maxZones bounds the zone table; the time zone database has some 600 names.
const maxZones = 8192

// ZoneNumber returns the number of the zone called name: an IANA name such as
// Europe/Paris, "UTC", or an offset of the form +hh:mm or -hh:mm.
func ZoneNumber(name string) (uint16, error) {
	zones.RLock()
	n, ok := zones.byName[name]
	zones.RUnlock()
	if ok {
		return n, nil
	}
	loc, err := loadZone(name)
	if err != nil {
		return 0, err
	}
	zones.Lock()
	defer zones.Unlock()
	if n, ok := zones.byName[name]; ok {
		return n, nil
	}
	if len(zones.locs) >= maxZones {
		return 0, fmt.Errorf("time zone %q: more than %d time zones in use", name, maxZones)
	}
	n = uint16(len(zones.locs))
	zones.locs = append(zones.locs, loc)
	zones.byName[name] = n
	return n, nil
}

func loadZone(name string) (*time.Location, error) {
	if len(name) == 6 && (name[0] == '+' || name[0] == '-') && name[3] == ':' {
		var h, m int
		if _, err := fmt.Sscanf(name[1:], "%02d:%02d", &h, &m); err == nil && h <= 14 && m <= 59 {
			off := h*3600 + m*60
			if name[0] == '-' {
				off = -off
			}
			return time.FixedZone(name, off), nil
		}
	}
	if name == "" || name == "Local" {
		return nil, fmt.Errorf("unknown time zone %q", name)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("unknown time zone %q", name)
	}
	return loc, nil
}

// Zone returns the location of a zone number.
func Zone(n uint16) *time.Location {
	zones.RLock()
	defer zones.RUnlock()
	if int(n) < len(zones.locs) {
		return zones.locs[n]
	}
	return time.UTC
}

// ZoneName returns the name of a zone number.
func ZoneName(n uint16) string { return Zone(n).String() }
