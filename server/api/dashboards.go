package api

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/cairndb/cairn/engine"
)

// Dashboards are named lists of queries with how to show them. A refresh runs every widget's
// query, with the values of its parameters put into the text, and is asked after by the
// widget's alias and the refresh's ID (DescribeQuery). Those with a schedule are refreshed by the
// server (schedule.go).

// Limits of dashboards.
const (
	dashboardsMax = 100
	widgetsMax    = 10
	// refreshMin is how long one refresh keeps another one off while its queries run.
	highlightsName = "AWSCloudTrail-Highlights"
)

// dashboard is what is kept of a dashboard, under account, region and name.
type dashboard struct {
	Name, Account, Region string
	Widgets               []widget `json:",omitempty"`
	Schedule              *schedule
	Protected             bool `json:",omitempty"`
	Created, Updated      time.Time
	Changed               bool   `json:",omitempty"`
	Refresh               string `json:",omitempty"` // the last one
	Failure               string `json:",omitempty"` // why that failed
}

type widget struct {
	Alias, Statement string
	Parameters       []string          `json:",omitempty"`
	View             map[string]string `json:",omitempty"`
}

type schedule struct {
	Unit      string
	Value     int
	Status    string
	TimeOfDay string
	// Owner has set the schedule, at Since; Kept is the last of its times that was seen to.
	Owner       string    `json:",omitempty"`
	Since, Kept time.Time `json:",omitzero"`
}

type resolvedDashboard struct {
	dashboard
	arn string
}

// resolveDashboard finds a dashboard by name or ARN.
func (c *call) resolveDashboard(ref string) (*resolvedDashboard, error) {
	name := ref
	notFound := fail("ResourceNotFound", "there is no dashboard %q in account %s and region %s", shorten(ref), c.account, c.region)
	if strings.HasPrefix(ref, "arn:") {
		a, ok := parseARN(ref)
		if !ok || a.kind != dashboardARN || a.account != c.account || a.region != c.region {
			return nil, notFound
		}
		name = a.id
	}
	d, err := find[dashboard](c.s, engine.ObjectDashboard, c.mine()+name)
	if err != nil {
		return nil, err
	}
	if d == nil {
		return nil, notFound
	}
	return &resolvedDashboard{*d, c.arnOf(dashboardARN, d.Name)}, nil
}

func (c *call) saveDashboard(d *resolvedDashboard) error {
	return c.s.save(c.ctx, engine.ObjectDashboard, c.mine()+d.Name, &d.dashboard)
}

// parameters that widgets may have.
var dashboardParameters = []string{"$StartTime$", "$EndTime$", "$Period$", "$EventDataStoreId$"}

// viewKinds are the ways to show a widget, with the properties that each must have.
var viewKinds = map[string][]string{"Table": nil, "LineChart": {"XAxisColumn", "YAxisColumn"}, "PieChart": {"LabelColumn", "ValueColumn"}, "BarChart": {"LabelColumn", "ValueColumn"}}

// widgets reads the widgets of a request.
func (c *call) widgets(of string) ([]widget, error) {
	var out []widget
	for i, item := range c.list("Widgets") {
		o := item.(object)
		w := widget{Statement: o["QueryStatement"].(string), View: map[string]string{}}
		bad := func(code, format string, args ...any) error {
			return fail(code, "Widgets[%d]: %s", i, fmt.Sprintf(format, args...))
		}
		if list, ok := o["QueryParameters"].([]any); ok {
			w.Parameters = texts(list)
		}
		view, _ := o["ViewProperties"].(object)
		for k, v := range view {
			w.View[k] = v.(string)
		}
		if kind := w.View["View"]; kind != "" {
			needs, ok := viewKinds[kind]
			if !ok {
				return nil, bad("InvalidParameter", "ViewProperties.View is %q; there are Table, LineChart, PieChart and BarChart", kind)
			}
			for _, n := range needs {
				if w.View[n] == "" {
					return nil, bad("InvalidParameter", "ViewProperties: a %s needs %s", kind, n)
				}
			}
		}
		if n := strings.Count(w.Statement, "?"); n != len(w.Parameters) {
			return nil, bad("InvalidQueryStatement", "the statement has %d places for parameters, QueryParameters has %d", n, len(w.Parameters))
		}
		for _, p := range w.Parameters {
			if strings.HasPrefix(p, "$") && !slices.Contains(dashboardParameters, p) {
				return nil, bad("InvalidQueryStatement", "the parameter %s is none of %s", shorten(p), strings.Join(dashboardParameters, ", "))
			}
		}
		// It must run with values as a refresh has them.
		text, err := substitute(w.Statement, sampleValues(w.Parameters))
		if err == nil {
			var p *prepared
			if p, err = c.prepare(text); err == nil {
				p.snap.Close()
			}
		}
		var e *Error
		if errors.As(err, &e) {
			return nil, bad(e.Code, "%s", e.Message)
		}
		if err != nil {
			return nil, bad("InvalidQueryStatement", "%v", err)
		}
		w.Alias = of + "-" + newID()[:8]
		out = append(out, w)
	}
	if len(out) > widgetsMax {
		return nil, fail("ServiceQuotaExceeded", "a dashboard has at most %d widgets, %d are given", widgetsMax, len(out))
	}
	return out, nil
}

// sampleValues are values for parameters, to check a statement with.
func sampleValues(parameters []string) []string {
	var out []string
	for _, p := range parameters {
		switch p {
		case "$StartTime$":
			p = "2024-11-05 00:00:00"
		case "$EndTime$":
			p = "2024-11-06 00:00:00"
		case "$Period$":
			p = "hour"
		}
		out = append(out, p)
	}
	return out
}

// schedule reads the schedule of a request.
func (c *call) schedule() (*schedule, error) {
	o, ok := c.in["RefreshSchedule"].(object)
	if !ok {
		return nil, nil
	}
	s := &schedule{Unit: "HOURS", Value: 6, Status: "ENABLED", TimeOfDay: "00:00", Owner: c.who.Name, Since: c.now.UTC()}
	if f, ok := o["Frequency"].(object); ok {
		if u, ok := f["Unit"].(string); ok {
			s.Unit = u
		}
		if v, ok := f["Value"].(int64); ok {
			s.Value = int(v)
		}
	}
	if v, ok := o["Status"].(string); ok {
		s.Status = v
	}
	if v, ok := o["TimeOfDay"].(string); ok {
		s.TimeOfDay = v
	}
	if s.Unit == "HOURS" && !slices.Contains([]int{1, 6, 12, 24}, s.Value) || s.Unit == "DAYS" && s.Value != 1 {
		return nil, c.wrong("RefreshSchedule", "RefreshSchedule.Frequency is %d %s; there are 1, 6, 12 and 24 HOURS, and 1 DAYS", s.Value, s.Unit)
	}
	if t, err := time.Parse("15:04", s.TimeOfDay); err != nil || t.Format("15:04") != s.TimeOfDay {
		return nil, c.wrong("RefreshSchedule", "RefreshSchedule.TimeOfDay %q is not HH:MM in UTC", shorten(s.TimeOfDay))
	}
	return s, nil
}

func (d *resolvedDashboard) out() object {
	widgets := []object{}
	for _, w := range d.Widgets {
		o := object{"QueryAlias": w.Alias, "QueryStatement": w.Statement, "ViewProperties": w.View}
		if len(w.Parameters) > 0 {
			o["QueryParameters"] = w.Parameters
		}
		widgets = append(widgets, o)
	}
	o := object{"DashboardArn": d.arn, "Name": d.Name, "Type": "CUSTOM", "Widgets": widgets, "TerminationProtectionEnabled": d.Protected}
	if s := d.Schedule; s != nil {
		o["RefreshSchedule"] = object{"Frequency": object{"Unit": s.Unit, "Value": int64(s.Value)}, "Status": s.Status, "TimeOfDay": s.TimeOfDay}
	}
	return o
}

func (c *call) createDashboard() (any, error) {
	name := c.text("Name")
	if name == highlightsName {
		return nil, fail("UnsupportedOperation", "the dashboard %s is AWS's own", highlightsName)
	}
	have, err := all[dashboard](c.s, engine.ObjectDashboard, c.mine())
	if err != nil {
		return nil, err
	}
	for i := range have {
		if strings.EqualFold(have[i].value.Name, name) {
			return nil, fail("Conflict", "there is a dashboard %q already", have[i].value.Name)
		}
	}
	if len(have) >= dashboardsMax {
		return nil, fail("ServiceQuotaExceeded", "account %s has %d dashboards in region %s, the most that it may have", c.account, len(have), c.region)
	}
	d := &resolvedDashboard{dashboard{Name: name, Account: c.account, Region: c.region, Protected: c.flag("TerminationProtectionEnabled", false),
		Created: c.now.UTC(), Updated: c.now.UTC()}, c.arnOf(dashboardARN, name)}
	if d.Widgets, err = c.widgets(name); err != nil {
		return nil, err
	}
	if d.Schedule, err = c.schedule(); err != nil {
		return nil, err
	}
	t, err := c.newTags("TagsList")
	if err != nil {
		return nil, err
	}
	if err := c.saveDashboard(d); err != nil {
		return nil, err
	}
	out := d.out()
	if len(t) > 0 {
		if err := c.saveTags(d.arn, t); err != nil {
			return nil, err
		}
		out["TagsList"] = tagsOut(t)
	}
	return out, nil
}

func (c *call) updateDashboard() (any, error) {
	d, err := c.resolveDashboard(c.text("DashboardId"))
	if err != nil {
		return nil, err
	}
	if c.has("Widgets") {
		if d.Widgets, err = c.widgets(d.Name); err != nil {
			return nil, err
		}
	}
	if c.has("RefreshSchedule") {
		if d.Schedule, err = c.schedule(); err != nil {
			return nil, err
		}
	}
	d.Protected = c.flag("TerminationProtectionEnabled", d.Protected)
	d.Updated, d.Changed = c.now.UTC(), true
	if err := c.saveDashboard(d); err != nil {
		return nil, err
	}
	out := d.out()
	out["CreatedTimestamp"], out["UpdatedTimestamp"] = moment{d.Created}, moment{d.Updated}
	return out, nil
}

func (c *call) deleteDashboard() (any, error) {
	d, err := c.resolveDashboard(c.text("DashboardId"))
	if err != nil {
		return nil, err
	}
	if d.Protected {
		return nil, fail("Conflict", "dashboard %q is protected: switch TerminationProtectionEnabled off first", d.Name)
	}
	return nil, c.s.remove(c.ctx, engine.Object{Kind: engine.ObjectDashboard, Name: c.mine() + d.Name},
		engine.Object{Kind: engine.ObjectTags, Name: d.arn}, engine.Object{Kind: engine.ObjectResourcePolicy, Name: d.arn})
}

func (c *call) getDashboard() (any, error) {
	d, err := c.resolveDashboard(c.text("DashboardId"))
	if err != nil {
		return nil, err
	}
	out := d.out()
	delete(out, "Name") // it is not in this answer
	out["Status"] = map[bool]string{false: "CREATED", true: "UPDATED"}[d.Changed]
	out["CreatedTimestamp"], out["UpdatedTimestamp"] = moment{d.Created}, moment{d.Updated}
	if d.Refresh != "" {
		out["LastRefreshId"] = d.Refresh
	}
	if d.Failure != "" {
		out["LastRefreshFailureReason"] = atLeast4(d.Failure)
	}
	return out, nil
}

func (c *call) listDashboards() (any, error) {
	list, err := all[dashboard](c.s, engine.ObjectDashboard, c.mine())
	if err != nil {
		return nil, err
	}
	prefix := c.text("NamePrefix")
	list = slices.DeleteFunc(list, func(n named[dashboard]) bool {
		return !strings.HasPrefix(n.value.Name, prefix) || c.text("Type") == "MANAGED"
	})
	sort.Slice(list, func(i, j int) bool { return list[i].name < list[j].name })
	list, next, err := page(c, list, c.integer("MaxResults", listMax), func(n *named[dashboard]) string { return n.name })
	if err != nil {
		return nil, err
	}
	items := []object{}
	for i := range list {
		items = append(items, object{"DashboardArn": c.arnOf(dashboardARN, list[i].value.Name), "Type": "CUSTOM"})
	}
	return withNext(object{"Dashboards": items}, next), nil
}

// startDashboardRefresh runs the queries of a dashboard.
func (c *call) startDashboardRefresh() (any, error) {
	d, err := c.resolveDashboard(c.text("DashboardId"))
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	given, _ := c.in["QueryParameterValues"].(object)
	for k, v := range given {
		if !slices.Contains(dashboardParameters, k) {
			return nil, c.wrong("QueryParameterValues", "QueryParameterValues: %q is none of %s", shorten(k), strings.Join(dashboardParameters, ", "))
		}
		if strings.ContainsAny(v.(string), "'\"\\;") {
			return nil, c.wrong("QueryParameterValues", "QueryParameterValues: the value of %s has a quote, backslash or semicolon", k)
		}
		values[k] = v.(string)
	}
	if d.Refresh != "" {
		list, err := c.myQueries()
		if err != nil {
			return nil, err
		}
		for i := range list {
			if list[i].Refresh == d.Refresh && !list[i].ended() {
				return nil, fail("ServiceQuotaExceeded", "a refresh of dashboard %q, %s, is running; there is one at a time", d.Name, d.Refresh)
			}
		}
	}
	var statements []string
	for _, w := range d.Widgets {
		var with []string
		for _, p := range w.Parameters {
			v, ok := values[p]
			switch {
			case !strings.HasPrefix(p, "$"):
				v = p
			case !ok:
				return nil, c.wrong("QueryParameterValues", "QueryParameterValues has no %s, which a widget needs", p)
			}
			with = append(with, sqlTime(v))
		}
		text, err := substitute(w.Statement, with)
		if err != nil {
			return nil, c.wrong("QueryParameterValues", "%v", err)
		}
		statements = append(statements, text)
	}
	d.Refresh, d.Failure = strconv.FormatInt(c.now.UnixMicro(), 10), ""
	for i, text := range statements {
		if _, err := c.begin(savedQuery{Statement: text, Alias: d.Widgets[i].Alias, Refresh: d.Refresh}); err != nil {
			e, _ := told(err)
			d.Failure = shorten(e.Message)
			if saved := c.saveDashboard(d); saved != nil {
				return nil, saved
			}
			return nil, err
		}
	}
	if err := c.saveDashboard(d); err != nil {
		return nil, err
	}
	return object{"RefreshId": d.Refresh}, nil
}

// sqlTime writes times as the samples of dashboards have them, 2024-11-05T10:45:24.00Z, in
// SQL's way; other values stay.
func sqlTime(v string) string {
	if t, err := time.Parse(time.RFC3339, v); err == nil {
		return t.UTC().Format("2006-01-02 15:04:05")
	}
	return v
}

// widgetCalled finds a widget by its alias.
func (c *call) widgetCalled(alias string) (*widget, error) {
	list, err := all[dashboard](c.s, engine.ObjectDashboard, c.mine())
	if err != nil {
		return nil, err
	}
	for i := range list {
		for k := range list[i].value.Widgets {
			if w := &list[i].value.Widgets[k]; w.Alias == alias {
				return w, nil
			}
		}
	}
	return nil, fail("InvalidParameter", "QueryAlias: there is no widget with alias %q", shorten(alias))
}
