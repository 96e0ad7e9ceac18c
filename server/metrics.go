package server

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/cairndb/cairn/engine"
)

// metrics counts what happens. It implements pg.Observer.
type metrics struct {
	registry    *prometheus.Registry
	open        prometheus.Gauge
	connections prometheus.Counter
	refused     *prometheus.CounterVec
	signIns     *prometheus.CounterVec
	statements  *prometheus.CounterVec
	took        prometheus.Histogram
	rows, bytes prometheus.Counter
	copied      *prometheus.CounterVec
}

func newMetrics(lake *engine.Lake) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		open: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "cairn_pg_connections", Help: "Connections of Postgres clients that are open."}),
		connections: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "cairn_pg_connections_total", Help: "Connections of Postgres clients that were accepted."}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cairn_pg_refused_connections_total", Help: "Connections that did not become sessions, by reason."}, []string{"reason"}),
		signIns: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cairn_sign_ins_total", Help: "Sign-ins by outcome."}, []string{"outcome"}),
		statements: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cairn_pg_statements_total", Help: "Statements by class of SQLSTATE; 00 for those that succeeded."}, []string{"class"}),
		took: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "cairn_pg_statement_duration_seconds", Help: "Time that statements took, the sending of their results included.",
			Buckets: []float64{.0001, .0003, .001, .003, .01, .03, .1, .3, 1, 3, 10, 30, 100, 300}}),
		rows: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "cairn_pg_sent_rows_total", Help: "Rows of results."}),
		bytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "cairn_pg_sent_bytes_total", Help: "Bytes of results."}),
		copied: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cairn_pg_copied_records_total", Help: "Records taken by COPY, by verdict."}, []string{"verdict"}),
	}
	m.registry.MustRegister(m.open, m.connections, m.refused, m.signIns, m.statements, m.took, m.rows, m.bytes, m.copied,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		newInsightCollector(lake),
		storeCollector{lake, prometheus.NewDesc("cairn_store_events", "Events in a store.", []string{"store"}, nil)})
	return m
}

// Opened implements pg.Observer.
func (m *metrics) Opened() { m.open.Inc(); m.connections.Inc() }

// Closed implements pg.Observer.
func (m *metrics) Closed() { m.open.Dec() }

// Refused implements pg.Observer.
func (m *metrics) Refused(why string) { m.refused.WithLabelValues(why).Inc() }

// SignIn implements pg.Observer.
func (m *metrics) SignIn(ok bool) {
	if ok {
		m.signIns.WithLabelValues("succeeded").Inc()
	} else {
		m.signIns.WithLabelValues("failed").Inc()
	}
}

// Statement implements pg.Observer.
func (m *metrics) Statement(code string, took time.Duration, rows, bytes int64) {
	m.statements.WithLabelValues(code[:min(2, len(code))]).Inc()
	m.took.Observe(took.Seconds())
	m.rows.Add(float64(rows))
	m.bytes.Add(float64(bytes))
}

// Copied implements pg.Observer.
func (m *metrics) Copied(verdict string, n int64) { m.copied.WithLabelValues(verdict).Add(float64(n)) }

// storeCollector reads the number of events of the stores when it is asked.
type storeCollector struct {
	lake   *engine.Lake
	events *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c storeCollector) Describe(to chan<- *prometheus.Desc) { to <- c.events }

// Collect implements prometheus.Collector.
func (c storeCollector) Collect(to chan<- prometheus.Metric) {
	for _, s := range c.lake.Stores() {
		to <- prometheus.MustNewConstMetric(c.events, prometheus.GaugeValue, float64(s.Events()), s.Name())
	}
}

// insightCollector reads what was done about insights when it is asked.
type insightCollector struct {
	lake                                              *engine.Lake
	runs, failures, events, seconds, notices, records *prometheus.Desc
	provisional, series, learning                     *prometheus.Desc
}

func newInsightCollector(lake *engine.Lake) insightCollector {
	d := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("cairn_insight_"+name, help, labels, nil)
	}
	return insightCollector{
		lake: lake,
		runs: d("looks_total", "Looks at a store for unusual activity."), failures: d("failures_total", "Looks that have failed and are tried again."),
		events: d("events_total", "Events analysed."), seconds: d("seconds_total", "Time that it has taken."),
		notices:     d("notices_total", "Incidents that were noticed before they had a record."),
		records:     d("records_total", "Records written, by what they say.", "state"),
		provisional: d("provisional_incidents", "Incidents without a record, because events may still come that change them."),
		series:      d("series", "Series of calls that are watched."), learning: d("learning_series", "Series in their first 14 days, which have no verdicts."),
	}
}

// Describe implements prometheus.Collector.
func (c insightCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.runs, c.failures, c.events, c.seconds, c.notices, c.records, c.provisional, c.series, c.learning} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c insightCollector) Collect(to chan<- prometheus.Metric) {
	f := c.lake.InsightFigures()
	count := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	count(c.runs, float64(f.Runs))
	count(c.failures, float64(f.Failures))
	count(c.events, float64(f.Events))
	count(c.seconds, f.Time.Seconds())
	count(c.notices, float64(f.Notices))
	count(c.records, float64(f.Starts), "start")
	count(c.records, float64(f.Ends), "end")
	count(c.records, float64(f.Withdrawn), "withdrawn")
	count(c.records, float64(f.Reinstated), "reinstated")
	for d, v := range map[*prometheus.Desc]int64{c.provisional: f.Provisional, c.series: f.Series, c.learning: f.Learning} {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v))
	}
}
