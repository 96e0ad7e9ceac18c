package fn

import (
	"strings"

	"github.com/cairndb/cairn/segment/column"
	"github.com/cairndb/cairn/sql/sqlerr"
)

// timeParts are the parts of dates that %t has in Java's formats, clockParts those of
// times of the day, momentParts those that need a time zone.
var (
	timeParts = map[byte]timeLayout{
		'Y': {{field: fieldYear, width: 4}}, 'y': {{field: fieldYear2, width: 2}}, 'm': {{field: fieldMonth, width: 2}},
		'B': {{field: fieldMonthLong}}, 'b': {{field: fieldMonthShort}}, 'h': {{field: fieldMonthShort}},
		'd': {{field: fieldDay, width: 2}}, 'e': {{field: fieldDay, width: 1}}, 'j': {{field: fieldDayOfYear, width: 3}},
		'A': {{field: fieldWeekdayLong}}, 'a': {{field: fieldWeekdayShort}},
		'D': {{field: fieldMonth, width: 2}, {text: "/"}, {field: fieldDay, width: 2}, {text: "/"}, {field: fieldYear2, width: 2}},
		'F': {{field: fieldYear, width: 4}, {text: "-"}, {field: fieldMonth, width: 2}, {text: "-"}, {field: fieldDay, width: 2}},
	}
	clockParts = map[byte]timeLayout{
		'H': {{field: fieldHour, width: 2}}, 'k': {{field: fieldHour, width: 1}}, 'I': {{field: fieldHour12, width: 2}}, 'l': {{field: fieldHour12, width: 1}},
		'M': {{field: fieldMinute, width: 2}}, 'S': {{field: fieldSecond, width: 2}}, 'L': {{field: fieldFraction, width: 3}}, 'N': {{field: fieldFraction, width: 9}},
		'p': {{field: fieldHalf}}, 'R': {{field: fieldHour, width: 2}, {text: ":"}, {field: fieldMinute, width: 2}},
		'T': mysqlFields['T'], 'r': mysqlFields['r'],
	}
	momentParts = map[byte]timeLayout{
		'z': {{field: fieldOffset}}, 'Z': {{field: fieldZoneName}},
		'c': {{field: fieldWeekdayShort}, {text: " "}, {field: fieldMonthShort}, {text: " "}, {field: fieldDay, width: 2}, {text: " "},
			{field: fieldHour, width: 2}, {text: ":"}, {field: fieldMinute, width: 2}, {text: ":"}, {field: fieldSecond, width: 2}, {text: " "},
			{field: fieldZoneName}, {text: " "}, {field: fieldYear, width: 4}},
		's': nil, 'Q': nil, // seconds and milliseconds since 1970
	}
)

// time writes the part of a date, a time or a timestamp that %t asks for.
func (f formatSpec) time(v *column.Vector, i int) (string, error) {
	date, clock, moment := timeParts[f.part], clockParts[f.part], momentParts[f.part]
	_, epoch := momentParts[f.part]
	lacks := func(what string) (string, error) {
		return "", fault(sqlerr.InvalidArgument, "%%t%c of a format: %s", f.part, what)
	}
	kind := v.Type.Kind
	switch {
	case date == nil && clock == nil && !epoch && f.part != 'C':
		return "", fault(sqlerr.InvalidArgument, "%%t%c in a format has no meaning", f.part)
	case kind != column.Date && kind != column.Time && kind != column.Timestamp && kind != column.TimestampTZ:
		return "", fault(sqlerr.InvalidArgument, "%%t%c of a format does not take %s", f.part, v.Type)
	case kind == column.Date && clock != nil:
		return lacks("a date has no time of the day")
	case kind == column.Time && clock == nil:
		return lacks("a time has no date and no time zone")
	case kind != column.TimestampTZ && epoch:
		return lacks("this has no time zone; AT TIME ZONE gives it one")
	}
	x := v.I64[i]
	if kind == column.Date {
		x *= microsPerDay
	}
	switch f.part {
	case 'C':
		days, _ := splitDay(toLocal(x, zoneAt(v, i)))
		y, _, _ := civil(days)
		return string(appendPadded(nil, int64(magnitude(y))/100, 2)), nil
	case 's', 'Q':
		unit := int64(microsPerSecond)
		if f.part == 'Q' {
			unit = microsPerMilli
		}
		return string(appendPadded(nil, floorDiv(x, unit), 1)), nil
	case 'p': // lower case, unlike in %tr
		return strings.ToLower(string(clock.append(nil, x, zoneAt(v, i)))), nil
	}
	for _, layout := range []timeLayout{date, clock, moment} {
		if layout != nil {
			return string(layout.append(nil, x, zoneAt(v, i))), nil
		}
	}
	return "", nil // all parts have a layout or are above
}
