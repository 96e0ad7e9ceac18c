package fn

import (
	"fmt"
	"testing"

	"github.com/cairndb/cairn/segment/column"
)

const benchRows = 4096

// benchTexts are event names and the like, as a column of audit events has them.
func benchTexts() *column.Vector {
	v := column.New(column.VarcharType, benchRows)
	verbs, nouns := []string{"Describe", "Get", "List", "Put", "Create", "Delete"}, []string{"Instances", "Object", "Key", "Bucket", "Role", "LogStreams"}
	for i := range v.Str {
		v.Str[i] = verbs[i*7%6] + nouns[i*11%6] + fmt.Sprint(i%3)
	}
	return v
}

func benchTimes() *column.Vector {
	v := column.New(column.TimestampType, benchRows)
	for i := range v.I64 {
		v.I64[i] = 1767225600e6 + int64(i)*977*microsPerSecond
	}
	return v
}

func benchInts() *column.Vector {
	v := column.New(column.BigIntType, benchRows)
	for i := range v.I64 {
		v.I64[i] = int64(i * 7919 % 10007)
	}
	return v
}

func constText(s string) *column.Vector {
	v := column.New(column.VarcharType, 1)
	v.Str[0] = s
	return column.NewConst(v, benchRows)
}

func benchScalar(b *testing.B, name string, args ...*column.Vector) {
	var types []*column.Type
	for _, a := range args {
		types = append(types, a.Type)
	}
	f, err := LookupScalar(name).Bind(types)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if _, err := f.Eval(testContext, args, benchRows); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*benchRows/b.Elapsed().Seconds()/1e6, "Mrows/s")
}

func BenchmarkScalar(b *testing.B) {
	json := column.New(column.VarcharType, benchRows)
	for i := range json.Str {
		json.Str[i] = fmt.Sprintf(`{"instancesSet":{"items":[{"instanceId":"i-%08d","currentState":{"code":%d}}]},"filter":{},"tags":["a","b"]}`, i, i%90)
	}
	addresses := column.New(column.VarcharType, benchRows)
	for i := range addresses.Str {
		addresses.Str[i] = fmt.Sprintf("10.%d.%d.%d", i%7, i%250, i%13)
		if i%9 == 0 {
			addresses.Str[i] = "cloudtrail.amazonaws.com"
		}
	}
	keys := newBuilder(column.MapOf(column.VarcharType, column.VarcharType), benchRows)
	for i := range benchRows {
		for _, k := range []string{"bucketName", "key", "Host", "x-amz-acl"} {
			pushStr(keys.Children[0], k)
			pushStr(keys.Children[1], fmt.Sprint(i))
		}
		pushEnd(keys)
	}
	for _, c := range []struct {
		name, function string
		args           []*column.Vector
	}{
		{"equal-text", "=", []*column.Vector{benchTexts(), constText("DescribeInstances0")}},
		{"less-bigint", "<", []*column.Vector{benchInts(), benchInts()}},
		{"add-bigint", "+", []*column.Vector{benchInts(), benchInts()}},
		{"like-prefix", "like", []*column.Vector{benchTexts(), constText("Describe%")}},
		{"like-contains", "like", []*column.Vector{benchTexts(), constText("%Bucket%")}},
		{"like-general", "like", []*column.Vector{benchTexts(), constText("D%In_t%ces_")}},
		{"regexp_like", "regexp_like", []*column.Vector{benchTexts(), constText("^(Delete|Put).*[0-9]$")}},
		{"lower", "lower", []*column.Vector{benchTexts()}},
		{"substr", "substr", []*column.Vector{benchTexts(), constInt(3), constInt(4)}},
		{"date_trunc-hour", "date_trunc", []*column.Vector{constText("hour"), benchTimes()}},
		{"date_trunc-month", "date_trunc", []*column.Vector{constText("month"), benchTimes()}},
		{"day_of_week", "day_of_week", []*column.Vector{benchTimes()}},
		{"date_format", "date_format", []*column.Vector{benchTimes(), constText("%Y-%m-%d %H:%i")}},
		{"json_extract_scalar", "json_extract_scalar", []*column.Vector{json, constText("$.instancesSet.items[0].currentState.code")}},
		{"element_at-map", "element_at", []*column.Vector{keys, constText("x-amz-acl")}},
	} {
		b.Run(c.name, func(b *testing.B) { benchScalar(b, c.function, c.args...) })
	}
	b.Run("try_cast-ipaddress", func(b *testing.B) {
		f, _ := TryCast(column.VarcharType, column.IPAddressType)
		b.ReportAllocs()
		for range b.N {
			if _, err := f.Eval(testContext, []*column.Vector{addresses}, benchRows); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)*benchRows/b.Elapsed().Seconds()/1e6, "Mrows/s")
	})
	b.Run("text-timestamp", func(b *testing.B) {
		times := benchTimes()
		var buf []byte
		b.ReportAllocs()
		for range b.N {
			for i := range benchRows {
				buf = AppendText(buf[:0], times, i)
			}
		}
		b.ReportMetric(float64(b.N)*benchRows/b.Elapsed().Seconds()/1e6, "Mrows/s")
	})
}

func constInt(x int64) *column.Vector {
	v := column.New(column.BigIntType, 1)
	v.I64[0] = x
	return column.NewConst(v, benchRows)
}

func BenchmarkHash(b *testing.B) {
	hashes := make([]uint64, benchRows)
	texts := benchTexts()
	codes := make([]uint32, benchRows)
	for i := range codes {
		codes[i] = uint32(i % 100)
	}
	for _, c := range []struct {
		name string
		v    *column.Vector
	}{
		{"text", texts}, {"bigint", benchInts()},
		{"dictionary", &column.Vector{Type: texts.Type, Len: benchRows, Dict: texts.Slice(0, 100), Codes: codes}},
	} {
		b.Run(c.name, func(b *testing.B) {
			for range b.N {
				HashInto(hashes, c.v)
			}
			b.ReportMetric(float64(b.N)*benchRows/b.Elapsed().Seconds()/1e6, "Mrows/s")
		})
	}
}

func BenchmarkAggregate(b *testing.B) {
	groups := make([]uint32, benchRows)
	for i := range groups {
		groups[i] = uint32(i * 31 % 500)
	}
	for _, c := range []struct {
		name string
		args []*column.Vector
	}{
		{"count", nil}, {"sum", []*column.Vector{benchInts()}}, {"avg", []*column.Vector{benchInts()}}, {"max", []*column.Vector{benchInts()}}, {"min", []*column.Vector{benchTexts()}},
		{"approx_distinct", []*column.Vector{benchTexts()}}, {"max_by", []*column.Vector{benchTexts(), benchInts()}}, {"histogram", []*column.Vector{benchTexts()}},
		{"array_agg", []*column.Vector{benchTexts()}},
	} {
		var types []*column.Type
		for _, a := range c.args {
			types = append(types, a.Type)
		}
		f, err := LookupAggregate(c.name).Bind(types)
		if err != nil {
			b.Fatal(err)
		}
		for _, grouped := range []bool{false, true} {
			name, g := c.name+"-one", []uint32(nil)
			if grouped {
				name, g = c.name+"-500groups", groups
			}
			b.Run(name, func(b *testing.B) {
				b.ReportAllocs()
				for range b.N {
					acc := f.New()
					acc.Grow(500)
					for range 10 {
						if err := acc.Add(g, c.args, benchRows); err != nil {
							b.Fatal(err)
						}
					}
				}
				b.ReportMetric(float64(b.N)*10*benchRows/b.Elapsed().Seconds()/1e6, "Mrows/s")
			})
		}
	}
}

func BenchmarkBind(b *testing.B) {
	for range b.N {
		if _, err := LookupScalar("date_trunc").Bind([]*column.Type{column.VarcharType, column.TimestampType}); err != nil {
			b.Fatal(err)
		}
	}
}

// benchDecimals are amounts with two digits behind the point.
func benchDecimals(precision int) *column.Vector {
	out := newDecimals(column.DecimalOf(precision, 2), benchRows)
	for i := range benchRows {
		out.put(i, widen(int64(i*7919%1_000_003)-5000))
	}
	return out.v
}

// BenchmarkDecimal measures decimals that fit 64 bits and wider ones.
func BenchmarkDecimal(b *testing.B) {
	for _, width := range []int{7, 30} {
		x := benchDecimals(width)
		one := newDecimals(column.DecimalOf(3, 1), 1)
		one.put(0, widen(15))
		c := column.NewConst(one.v, benchRows)
		for _, op := range []string{"+", "*", "/", "%", "<", "round"} {
			b.Run(fmt.Sprintf("%d digits/%s", width, op), func(b *testing.B) {
				if op == "round" {
					benchScalar(b, op, x)
					return
				}
				benchScalar(b, op, x, c)
			})
		}
		b.Run(fmt.Sprintf("%d digits/sum", width), func(b *testing.B) {
			f, err := LookupAggregate("sum").Bind([]*column.Type{x.Type})
			if err != nil {
				b.Fatal(err)
			}
			acc := f.New()
			acc.Grow(100)
			groups := make([]uint32, benchRows)
			for i := range groups {
				groups[i] = uint32(i * 31 % 100)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := acc.Add(groups, []*column.Vector{x}, benchRows); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*benchRows/b.Elapsed().Seconds()/1e6, "Mrows/s")
		})
	}
}
