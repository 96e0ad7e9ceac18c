// Package logfile turns the bytes of log files into records with places.
//
// # Using it
//
//	files, rejects := logfile.Walk(vfs.Default, paths)  // in order of event time
//	f, err := vfs.Default.Open(files[0].Path)
//	c := logfile.Open(f, logfile.Limits{})
//	defer c.Close()
//	for {
//		buf, offset, err := c.Next()
//		if err == io.EOF {
//			break
//		}
//		if err != nil { // always a *Reject: note it and go on
//			note(err)
//			continue
//		}
//		n, err := scan(buf) // the record starts at buf[0], which is '{'
//		if err != nil {
//			skipped := c.Skip() // to the next record
//			note(skipped, err)
//			continue
//		}
//		c.Advance(n)
//	}
//
// The cursor does not scan good records: the caller does that anyway, and tells
// where the record ended. Next sees to it that buf holds a record of up to
// [Limits].RecordBytes whole. Nothing is copied per record.
//
// # What is recognised
//
// By content, never by name. A stream that starts with the magic of gzip or
// zstd is decompressed (several members or frames in a row count as one
// stream; compression inside compression is not unpacked). What comes out is a
// sequence of JSON values with any whitespace between them, after a byte order
// mark perhaps, and each value is one of:
//
//	{"Records":[{…},{…}]}   a wrapper: its elements are the records; any name
//	                        will do, see below
//	[{…},{…}]               an array: its elements are the records
//	{…}                     a record
//
// so JSON lines, pretty-printed documents, and log files put one behind the
// other are all the same thing. An object is a wrapper when it has one member
// and that is an array of objects, or when one of its members is an array called
// Records, Events or configurationItems, or when its first member is an array of
// objects and the object is larger than any record can be. The
// wrapper's other arrays of objects are offered too; its plain members (a
// paging token) belong to the envelope. An element of "Events" with a string
// member CloudTrailEvent is what LookupEvents answers: the text inside that
// string is the record, and its offset that of the element.
//
// # What is not a record
//
// Every byte of the decompressed stream is part of a record, of a rejected
// range, or of the envelope (whitespace, commas, brackets, byte order mark,
// names and plain members of wrappers). Rejected are: elements that are not
// objects, text between records, what [Cursor.Skip] passes over, and, for the
// file as a whole, an empty file, one that is not JSON, one that ends too
// early, and one whose compression is damaged. Records before the damage are
// kept.
//
// # Finding the way again
//
// After a malformed record, Skip looks for the next boundary: the bracket that
// closes the record when brackets, strings and what follows make sense; in
// files of JSON lines always the next line; otherwise the next object that
// follows a separator and starts with the same member name as the last record.
// If there is none the rest of the file is one rejected range.
//
// # Concurrency
//
// A [Cursor] belongs to one goroutine. Its memory is one window of three times
// the record limit and one decompressor, both taken from and given back to
// pools.
package logfile
