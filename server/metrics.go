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
