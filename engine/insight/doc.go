// Package insight finds unusual activity in counts of calls per minute, and says when it
// began and ended: the detection below CloudTrail-style Insights events. It computes; it stores nothing,
// starts no goroutine and reads no clock.
//
// # Using it
//
// A [Series] is an account, region, event source and event name (for error rates also an error code). Its
// counts by event time go in day by day of UTC; what is known between days is a [State]:
//
//	det, err := insight.NewDetector(insight.Params{})  // one per goroutine
//	state := insight.NewState(since)                   // the first day its account was watched
//	counts = insight.Merge(counts)                     // in order of time, each minute once
//	err = insight.Split(counts, func(day insight.Day, c []insight.Count) error {
//		found, err := det.Day(state, day, c)           // complete days
//		...
//	})
//	found, err := det.Peek(state, now, today)          // the day under way; state is not changed
//
// An [Incident] has a Fate: [Reported] ones get a Start record, and an End record when they are over;
// [Recurring] ones are listed as expected; those of a series' first 14 days are only learned from. With a lateness
// bound, a record is due when the minute that decided it is older than the bound ([Incident.Due]); before that, what Peek shows is
// a provisional notice: counts only grow, so what is unusual stays so, unless calls come more than an hour late.
//
// # Order and late calls
//
// Verdicts follow event time. A day is judged with a model frozen at its midnight, made from earlier
// days only; so the same counts give the same incidents, bit for bit, in whatever order events arrived, on every
// kind of processor (logarithms are computed here, and nothing depends on fused operations). Calls that arrive for
// a day that is over need the State from before that day: go on from there with the corrected counts. States
// are small enough to be kept for some days back; without one, begin with NewState.
//
// # Method
//
// Each midnight the expected rate of every hour comes from the 28 days before: the mean of that hour of the
// week, drawn towards the mean of its weekday or weekend hour, of its hour of day, and of all (each worth 20
// calls), scaled to the level of the last 7 days and, if three weeks in a row grew or fell, by half of the smaller of both changes, with straight lines between the middles of hours, or, where neighbours differ by
// more than 2 times, the larger of them. If the hour before the last one had more calls than that, by more than a deviation, what is
// expected is lifted as much, up to 2 times: a level that has crept up is no burst (clumpy series aside). If yesterday's
// hours were, by far rather, those of the next or last hour on other days, clocks were changed, and so are the profile's. Windows of 5, 15 and
// 60 minutes that end at a minute with calls are compared with it. The measure of surprise is the Chernoff bound of
// the upper tail of a negative binomial distribution, in nats (tail in score.go), whose dispersion each window
// length gets from the series' past days, the worst left out, and from how few calls the rate rests on.
// A window is unusual if it reaches all of
//
//   - 18 nats ([Params].Sensitivity divides them), and what the series' own daily maxima extrapolate to;
//   - 10 calls (30 where less than half a call was expected), and 2.5 times what was expected;
//   - for series of less than a call an hour, and those whose calls come in clumps: 30 calls (40 in an hour), 2.5 times the most
//     that a window held in 28 days (more if there were few days with clumps, 9.5 times if there was one), and what the
//     largest clumps of these days make unlikely: 3.6 standard deviations of their logarithms above the mean, more for
//     few. At hours at which such a series never has calls, nor at those beside them, half of the most is enough.
//
// An incident starts where the calls up to the deciding minute are likeliest to have risen, and ends where
// they are likeliest to have fallen, when 10 minutes have passed since and normal calls explain the rest better by 6 nats.
// When more is expected than the incident has, such as at the hour of a nightly job, calls there do not say that it is over: it goes on while
// they leave room for it, up to 4 hours, and ends where it did seem to end if it is not seen again. So one period is one incident.
// After 24 hours it is closed as the series' new level, and the past is scaled to it at once: so many times as many calls, or so many more,
// whichever its hours fit better.
//
// Jobs that recur are expected in three ways. An incident that began at this time (±75 minutes: clocks change by an hour) of the week in two
// earlier weeks, or of the day on three of ten days, and is no more than twice as large as then. And a window that holds no more
// than twice what windows held at this time in two earlier weeks, or on three of ten days, if that was far from what
// other days have at that hour (State.usually): a job whose time wanders round the full hour, or which was too small to be an
// incident. If it outgrows that, it is reported at the minute in which it does. Third, a job that has moved: what is found has at most
// twice, and in the end at least half, the calls of a job that ran at another time of the day on five of six days and was missed there the
// last time. Of these there may be as many in a day as were missed, and one. What comes before the old time was missed is reported, once. Incidents leave the baseline, up to 3 % of
// its minutes, except recurring ones and those of clumpy series.
//
// How well this works is measured on simulated series with known truth: package simulate, TestQuality, and the
// figures in testdata/bench/insights.md.
//
// # Bytes of a State
//
// Numbers are varints (uvarint, or zigzag where they can be negative), floats little-endian IEEE 754, days
// and minutes counted from 1970.
//
//	version        1 byte: 1
//	since          zigzag
//	next − since   uvarint
//	−floor         uvarint: windows begin at most so many minutes before next
//	recent         number, then for each minute with calls of the last 120: distance from the one
//	               before (the first from −120), calls
//	past           number (≤ 32), then for each earlier incident: start minus start of the one before, zigzag;
//	               duration; calls
//	open           0, or 1 and the open incident's fields in the order of codec.go
//	days           up to 28, oldest first: 0 and the number of days in a row without calls, or
//	               flags, then by flag
//	                 1  hours: 24 bits, and the calls of each hour whose bit is set
//	                 2  off: 24 bytes, minutes of the hour outside the baseline
//	                 4  peaks: the most calls in 5, 15, 60 minutes
//	                 8  score, squares, three excesses: 20 bytes of float32
//	                 16 calls and minutes outside reported incidents
//	                 32 fives: 24 bits, and for each hour whose bit is set a byte, the most calls in
//	                    five minutes (pack in model.go)
//	checksum       8 bytes: xxhash64 of all before
//
// A State has one encoding; DecodeState refuses every other.
package insight
