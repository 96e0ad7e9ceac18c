// Package trail delivers events to the outside: what a trail's selectors select becomes
// compressed log files in a directory or bucket, named and built as CloudTrail's are, with
// an hourly chain of signed digests over them.
//
// # Using it
//
//	set, err := trail.Open(env)                        // the trails that env keeps
//	t, err := set.Create(trail.Settings{Name: "main", Account: "111122223333",
//		HomeRegion: "eu-west-1", Target: "s3://audit?region=eu-west-1"})
//	err = set.Start("main", false)                     // from now on
//	err = set.Deliver(ctx, "main")                     // now, not in five minutes
//
// The lake stands behind [Env]: it reads logs, keeps records, opens targets and has the
// clock and the signing keys. This package has no other way to the outside.
//
// # What is delivered
//
// A trail reads the logs of its sources, stores that are named (the store "events" when
// none is), each by a cursor of its own: the sequence number of the next event to look at.
// What arrives in a store by any way (Lake.Append, an append or import to the store alone)
// is looked at once. An event is delivered when
//
//   - its recipientAccountId is the trail's account, or one of the organization's;
//   - the trail is for all regions, or the event's awsRegion is the home region, or it is
//     one of the global services (iam, sts, cloudfront; recorded in us-east-1) and those are
//     included;
//   - the selectors select it, or it is an Insights event of a type that the trail has.
//
// An account or region that is missing, or has a form that no account or region has, is
// taken to be the trail's own: it must not choose folders.
//
// Starting a trail opens a range of sequence numbers at the end of each source, stopping
// closes it; what came while it was stopped is not delivered. Ranges are worked off in
// order, so whatever happens between, exactly what came while it was on is delivered.
//
// # Steps
//
// Every five minutes, or when enough events wait, a step delivers the next of them:
//
//	plan     ranges and a time are written down durably
//	write    the files of the plan are built and put into the target, and looked at there
//	commit   the ranges move on; each file's key, hash and times are recorded
//
// A step that is cut short anywhere is done again by its plan: the same events under the
// same time give the same keys and the same bytes, so what is delivered twice replaces
// itself. Nothing is delivered by halves and forgotten. A target that fails is tried
// again after one second, two, four … up to five minutes, for thirty days; then the plan
// is given up, and the status says what was lost. Every hour, before they go into a
// digest, files are looked at again: what a target has accepted and lost is built anew
// from the log.
//
// # Streams
//
// A target may take events one by one (stream.go): a topic, a queue, a webhook, a file of
// JSON lines. Their form is that of the record, of an event bus or of a log service, and an
// event pattern may choose among them (pattern.go). A topic or webhook may be told of
// files as they are delivered (notice.go), and what goes into files may go to a log service
// as well (logs.go).
//
// # Keys
//
//	[PREFIX/]AWSLogs/[ORG/]ACCOUNT/FOLDER/REGION/YYYY/MM/DD/
//	    ACCOUNT_FOLDER_REGION_YYYYMMDDTHHMMZ_RANDOM.json.gz
//
// FOLDER is CloudTrail for management and data events, CloudTrail-NetworkActivity,
// CloudTrail-Insight, CloudTrail-Aggregated. The time is the plan's; the 16 random
// characters come from a hash of the trail's ID and what is in the file. A file is
// {"Records":[…]}, the exact bytes of the records with commas between, compressed with
// gzip, of at most 50 MB before compression. Directories get the metadata of digests
// in a file NAME.attrs beside them, as gocloud.dev's fileblob has it.
//
// The lake may encrypt what goes into the target (Settings.Encrypt); keys, lengths, hashes
// and digests are of what is inside.
//
// # Digests
//
// Package digest has the format. A trail with validation closes a period each hour, at a
// minute and second that are the trail's own: for each account and region it has delivered
// to, and for its own, a digest lists the files committed in that hour, also none. A
// digest is made and recorded together with the removal of the files that it lists from
// the list of those that wait; then it is put into the target. When its last file falls
// short of its hour (the plan was made more than an hour before the period, because the
// target was away) it goes into a back-fill digest, with a chain of its own. A chain ends
// with the digest of the hour in which logging or validation was switched off, and begins
// anew with a digest that names none before.
//
// # Records
//
// A record is a checksum (xxhash64 of key and text, 8 bytes, little-endian) and JSON text.
// Keys are a letter, the trail's ID, and what tells records apart:
//
//	s ID                      settings
//	t ID                      state: ranges, plan, times
//	f ID number               a file that no digest lists yet
//	c ID account region       the last digest of a chain; b for back-fill
//	p ID number               a digest that the target does not have yet
//	n ID number               a notification that was not sent yet
//	l ID                      state of the delivery to a log service
//
// # Concurrency
//
// A Set may be used from many goroutines. Each trail has one goroutine that delivers;
// nothing else waits for targets but Deliver. While it builds files, others read and parse
// events, and compress and put files, up to workersMax of each (files.go).
package trail
