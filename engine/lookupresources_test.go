package engine

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/event/generate"
)

// oddResources are members of records with resources in ways that are rare.
var oddResources = []string{
	`"resources":[{"ARN":"arn:aws:s3:::b%[1]d","type":"AWS::S3::Bucket"}]`,
	`"resources":[{"type":"AWS::IAM::Role","ARN":"arn:aws:iam::1:role\/team\/r%[1]d"},{"ARN":"arn:aws:s3:::b1"}]`,
	`"requestParameters":{"bucketName":"n\u00e4me %[1]d","key":"b%[1]d"}`,
	`"requestParameters":{"bucketName":"näme %[1]d","other":["b%[1]d"]}`,
	`"requestParameters":{"instancesSet":{"items":[{"instanceId":"i-0%[1]d"},{"instanceId":"i-b%[1]d"},{"instanceId":"noid%[1]d"}]}},"responseElements":{"instancesSet":{"items":[{"instanceId":"i-c%[1]d"}]}}`,
	`"requestParameters":{"bucketName":"aa, \"bb\" [%[1]d]: cc"}`,
	`"requestParameters":null,"responseElements":{"volumeId":"vol-%[1]d"},"resources":[{"ARN":7%[1]d7,"type":true}]`,
	`"requestParameters":{"bucketName":"%[1]d"},"resources":[{"ARNPrefix":"arn:aws:s3:::b%[1]d/x"}]`,
	`"requestParameters":{"bucketName":"first%[1]d","bucketName":"last%[1]d"}`,
	`"requestParameters":{"bucket\u004eame":"spelled%[1]d","instanceId":5,"vpcId":""}`,
	`"requestParameters":{"instanceIds":["i-%[1]d",7,null,["i-9"],{"instanceId":"i-8"}],"name":"nobody%[1]d"}`,
	`"requestParameters":{"instancesSet":{"items":["i-7"]},"groupSet":[],"policyArn":"arn:aws:iam::aws:policy/p%[1]d"}`,
	`"resources":[{"ARN":null,"ARNPrefix":"arn:x"},{"ARN":""},[{"ARN":"arn:aws:s3:::inner"}],"text",{"type":"OnlyType%[1]d"}],"requestParameters":"text"`,
	`"resources":{"ARN":"arn:aws:s3:::notalist"},"requestParameters":[{"bucketName":"inlist"}]`,
	`"requestParameters":{"groupId":"sg-%[1]d","bucket":"two%[1]d"},"eventSource":"ec2.amazonaws.com"`,
}

// oddRecords are n events with them, of a few services and two accounts, over some twenty days in no order.
func oddRecords(n int) [][]byte {
	sources := []string{"s3.amazonaws.com", "ec2.amazonaws.com", "iam.amazonaws.com", "cloudtrail.amazonaws.com", "unheard.example"}
	long := strings.Repeat(`"i-f",`, 600)
	var records [][]byte
	for i := range n {
		source := sources[i/len(oddResources)%len(sources)]
		members := strings.ReplaceAll(oddResources[i%len(oddResources)], "%[1]d", fmt.Sprint(i%9))
		if i%97 == 5 {
			members = fmt.Sprintf(`"requestParameters":{"instanceIds":[%s"i-e%d"],"bucketName":"long%d"}`, long, i%9, i%9) // kept as text
		}
		records = append(records, fmt.Appendf(nil, `{"eventVersion":"1.08","eventID":"00000000-0000-4000-8000-%012d","eventTime":%q,"eventSource":%q,"eventName":"N","eventCategory":"Management","recipientAccountId":"11111111111%d",%s}`,
			i, oddTime(i).Format(time.RFC3339), source, i%2, members))
	}
	return records
}

func oddTime(i int) time.Time { return retentionStart.Add(-time.Duration(i*37%480) * time.Hour) }

// TestResourceIndex compares the indexes of types and names with what every record tells.
func TestResourceIndex(t *testing.T) {
	ctx := context.Background()
	g, err := generate.New(generate.Options{Events: 3000})
	if err != nil {
		t.Fatal(err)
	}
	var generated [][]byte
	if err := g.Each(func(raw []byte, _ int64) error { generated = append(generated, slices.Clone(raw)); return nil }); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		records [][]byte
		exact   bool // what is indexed is what records tell
	}{{"generated", generated, true}, {"odd", oddRecords(1500), false}} {
		t.Run(c.name, func(t *testing.T) {
			l := openTest(t, vfs.NewMem(), Options{NoMerge: true})
			s := storeTest(t, l)
			appendTest(t, s, c.records)
			sn := s.snapshot()
			defer sn.release()
			chunks, err := sn.views[0].Chunks(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, chunk := range chunks {
				checkResources(t, lookupSource{chunk.Reader, chunk.Derived}, c.exact)
			}
			if err := l.freezeStores(ctx, []*Store{s}); err != nil {
				t.Fatal(err)
			}
			for _, seg := range s.snapshotSegments(t) {
				r, err := seg.reader(ctx)
				if err != nil {
					t.Fatal(err)
				}
				checkResources(t, lookupSource{r, seg.derived}, c.exact)
			}
		})
	}
}

// checkResources compares the indexes of a unit with its records.
func checkResources(t *testing.T, src lookupSource, exact bool) {
	t.Helper()
	ctx := context.Background()
	order, err := src.order(ctx)
	if err != nil {
		t.Fatal(err)
	}
	// With a filter that cannot tell, an index is made though no row has the value.
	index := func(a lookupAttribute) *attributeIndex {
		src.keep.Put(filterEntry+uint32(a), hashFilter{math.MaxUint64}, 8)
		x, err := src.attribute(ctx, a, 0)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	types, names := index(byResourceType), index(byResourceName)
	typesTold, namesTold, full := map[uint64]bool{}, map[uint64]bool{}, map[uint16]bool{}
	for rank, row := range order.rows {
		rec, err := src.reader.Record(ctx, int(row), nil)
		if err != nil {
			t.Fatal(err)
		}
		is := func(told map[uint64]bool, x *attributeIndex, text string) {
			h := attributeHash(text)
			if text == "" {
				return
			}
			told[uint64(h)<<16|uint64(rank)] = true
			if _, ok := slices.BinarySearch(x.of(h), uint16(rank)); !ok {
				t.Fatalf("row %d is not indexed as %q: %s", row, text, rec)
			}
		}
		resources := event.ResourcesOf(rec, nil)
		if len(resources) == event.ResourcesMax {
			full[uint16(rank)] = true
		}
		for _, r := range resources {
			is(typesTold, types, r.Type)
			is(namesTold, names, r.Name)
			for _, short := range event.ShortNames(r.Name) {
				is(namesTold, names, short)
			}
		}
	}
	if len(typesTold) == 0 || len(namesTold) == 0 {
		t.Error("no record tells of resources")
	}
	for _, c := range []struct {
		index *attributeIndex
		told  map[uint64]bool
	}{{types, typesTold}, {names, namesTold}} {
		for i, h := range c.index.hashes {
			for _, rank := range c.index.of(h) {
				if exact && !c.told[uint64(h)<<16|uint64(rank)] && !full[rank] {
					t.Fatalf("row %d is indexed by what it does not tell (hash %d of %d)", order.rows[rank], i, len(c.index.hashes))
				}
			}
		}
	}
}

// TestLookupResources looks resources up in two stores that have some events in common, in many segments and memtables, of which some
// events are expired, came late or twice, with and without a limit to an account, and compares with what reading every record
// finds.
func TestLookupResources(t *testing.T) {
	ctx := context.Background()
	for _, o := range []Options{{SegmentRows: 64, MemtableRows: 64, MemtableAge: -1, NoMerge: true}, {SegmentRows: 100, MemtableRows: 100, MemtableAge: -1, NoMerge: true, CacheBytes: 1 << 20}} {
		r := newRetention(t, o)
		type stored struct {
			store string
			days  int
			seqs  [][]byte
		}
		records := oddRecords(1200)
		var stores []*stored
		for _, s := range []*stored{{"a", 21, records[:800]}, {"b", 28, records[500:]}} {
			store, err := r.lake.MakeStore(r.admin, NewStore{Name: s.store, Days: uint32(s.days)})
			if err != nil {
				t.Fatal(err)
			}
			for part := range slices.Chunk(s.seqs, 50) {
				appendTest(t, store, part)
			}
			if _, err := store.Append(ctx, s.seqs[100:120]); err != nil { // duplicates
				t.Fatal(err)
			}
			stores = append(stores, s)
		}
		r.pass(12 * 24 * time.Hour)
		now := time.UnixMicro(r.wall.Load())
		type found struct {
			time  time.Time
			store string
			rec   string
		}
		want := func(a lookupAttribute, value, account string, start, end time.Time) (out []string) {
			shown := map[string]bool{}
			var all []found
			for _, s := range stores {
				for seq := len(s.seqs) - 1; seq >= 0; seq-- {
					var ev event.Event
					rec := s.seqs[seq]
					if err := event.Parse(rec, &ev); err != nil {
						t.Fatal(err)
					}
					when := time.UnixMicro(ev.Time)
					if when.Before(now.Add(-time.Duration(s.days)*24*time.Hour)) || shown[string(rec)] || when.Before(start) || when.After(end) ||
						account != "" && !strings.Contains(string(rec), `"recipientAccountId":"`+account+`"`) {
						continue
					}
					shown[string(rec)] = true
					if a.has(rec, value) {
						all = append(all, found{when, s.store, string(rec)})
					}
				}
			}
			slices.SortStableFunc(all, func(a, b found) int { return b.time.Compare(a.time) })
			for _, f := range all {
				out = append(out, f.store+" "+f.rec)
			}
			return out
		}
		values := map[lookupAttribute][]string{
			byResourceName: {"nobody-has-this-name", "b1", "arn:aws:s3:::b3", "b3", "role/team/r1", "team/r2", "r5", "näme 4", "i-08", "i-b2", "i-c3", `aa, "bb" [5]: cc`, "vol-6", "767", "7", "x", "b7/x", "first1", "last3",
				"spelled2", "nobody4", "p5", "policy/p6", "sg-1", "two2", "long3", "i-f", "nowhere", "b", ":", "inner", "notalist"},
			byResourceType: {"AWS::S3::Bucket", "AWS::IAM::Role", "AWS::EC2::Instance", "OnlyType3", "AWS::IAM::Policy", "AWS::CloudTrail::Trail", "true", "NoType"},
		}
		names := map[lookupAttribute]string{byResourceName: "ResourceName", byResourceType: "ResourceType"}
		asked, some := 0, 0
		for round := range 2 {
			for _, a := range []lookupAttribute{byResourceName, byResourceType} {
				for i, value := range values[a] {
					account, look := "", r.lake.LookupAll
					if (i+round)%2 == 0 {
						account = "111111111111"
						look = r.lake.As(Scope{Stores: []string{All}, Accounts: []string{account}}).LookupAll
					}
					req := LookupRequest{Attributes: map[string]string{names[a]: value}, Limit: []int{3, 50, 1000}[(i+round)%3]}
					start, end := time.Time{}, now
					if i%4 == 1 {
						start, end = now.Add(-20*24*time.Hour), now.Add(-15*24*time.Hour)
						req.Start, req.End = start, end
					}
					var got []string
					for {
						page, err := look(ctx, req)
						if err != nil {
							t.Fatal(err)
						}
						for _, e := range page.Events {
							got = append(got, e.Store+" "+string(e.Record))
						}
						if req.Token = page.Next; req.Token == "" {
							break
						}
					}
					w := want(a, value, account, start, end)
					if !slices.Equal(got, w) {
						t.Fatalf("%s %q, account %q: %d events, should be %d:\n%q\n%q", names[a], value, account, len(got), len(w), got, w)
					}
					asked++
					if len(w) > 0 {
						some++
					}
				}
			}
		}
		if some < asked/2 {
			t.Errorf("%d of %d lookups found something", some, asked)
		}
	}
}
