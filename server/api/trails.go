package api

import (
	"encoding/json"
	"errors"
	"regexp"
	"sort"
	"strings"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/engine/event"
	"github.com/cairndb/cairn/engine/trail"
)

// Trails are the engine's (engine/trail). Here they are found by name or ARN for an account
// and a region, and their settings put into the interface's words.

// trailsMax bounds the trails of an account in a region, those of other regions that are
// for all regions included.
const trailsMax = 5

// Labels of trails, which the engine only keeps.
const (
	labelTopic    = "SnsTopicName"
	labelLogGroup = "CloudWatchLogsLogGroupArn"
	labelLogRole  = "CloudWatchLogsRoleArn"
)

// resolveTrail finds a trail by name or ARN. A trail of the organization is seen by its
// members by its ARN.
func (c *call) resolveTrail(ref string) (*engine.Trail, error) {
	list, err := c.s.lake.Trails()
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(ref, "arn:") {
		a, ok := parseARN(ref)
		if !ok || a.kind != trailARN {
			return nil, fail("CloudTrailARNInvalid", "%q is not the ARN of a trail", shorten(ref))
		}
		for i := range list {
			t := &list[i]
			if t.ARN() == ref && (t.Account == c.account || t.Organization != "" && c.inOrganization()) {
				return t, nil
			}
		}
		return nil, fail("TrailNotFound", "there is no trail %s", ref)
	}
	if err := trail.CheckName(ref); err != nil {
		return nil, fail("InvalidTrailName", "%v", err)
	}
	var shadow *engine.Trail
	for i := range list {
		t := &list[i]
		if t.Name != ref || t.Account != c.account && !(t.Organization != "" && c.orgAdmin()) {
			continue
		}
		if t.HomeRegion == c.region {
			return t, nil
		}
		if t.MultiRegion {
			shadow = t
		}
	}
	if shadow != nil {
		return shadow, nil
	}
	return nil, fail("TrailNotFound", "there is no trail %q in account %s and region %s", ref, c.account, c.region)
}

func (c *call) inOrganization() bool {
	o := c.s.cfg.Organization
	return o != nil && o.has(c.account)
}

// ownTrail is resolveTrail for changes, which are made in the trail's home region by its owner.
func (c *call) ownTrail(ref string) (*engine.Trail, error) {
	t, err := c.resolveTrail(ref)
	if err != nil {
		return nil, err
	}
	if t.Organization != "" && !c.orgAdmin() {
		return nil, fail("NotOrganizationMasterAccount", "trail %s is of the organization: its management account and delegated administrators change it", t.ARN())
	}
	if t.HomeRegion != c.region {
		return nil, fail("InvalidHomeRegion", "trail %s is changed in its home region, %s, not in %s", t.Name, t.HomeRegion, c.region)
	}
	return t, nil
}

func (c *call) trailARN(ref string) (string, error) {
	t, err := c.resolveTrail(ref)
	if isNotFound(err) {
		return "", fail("ResourceNotFound", "%s", err.(*Error).Message)
	}
	if err != nil {
		return "", err
	}
	return t.ARN(), nil
}

// myTrails are the trails that the caller's account has in its region.
func (c *call) myTrails(shadows bool) ([]engine.Trail, error) {
	list, err := c.s.lake.Trails()
	if err != nil {
		return nil, err
	}
	var out []engine.Trail
	for _, t := range list {
		mine := t.Account == c.account || t.Organization != "" && c.inOrganization()
		if mine && (t.HomeRegion == c.region || shadows && t.MultiRegion) {
			out = append(out, t)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].ARN() < out[j].ARN() })
	return out, nil
}

// trailError turns an error of the engine about settings into one for the client.
func (c *call) trailError(err error) error {
	if err == nil {
		return nil
	}
	var f *trail.FieldError
	if !errors.As(err, &f) {
		if errors.Is(err, engine.ErrConflict) && c.op.has("TrailAlreadyExistsException") {
			return fail("TrailAlreadyExists", "%v", err)
		}
		return err
	}
	code := map[string]string{"Name": "InvalidTrailName", "S3KeyPrefix": "InvalidS3Prefix", "S3BucketName": "InvalidS3BucketName", "EventSelectors": "InvalidEventSelectors"}[f.Field]
	var s *event.SelectorError
	if errors.As(err, &s) {
		code = "InvalidEventSelectors"
	}
	if code == "" || !c.op.has(codeOf(code)) {
		code = "InvalidParameter"
	}
	return fail(code, "%v", f)
}

// target is where a trail's files go.
func (c *call) target(bucket string) (string, error) {
	if err := checkBucketName(bucket); err != nil {
		return "", err
	}
	_, closer, err := c.s.openBucket(c.ctx, bucket)
	if err != nil {
		return "", err
	}
	if err := closer.Close(); err != nil {
		return "", err
	}
	if c.s.cfg.Targets == nil {
		return "", fail("S3BucketDoesNotExist", "there is no bucket %q that trails may deliver to", bucket)
	}
	return c.s.cfg.Targets(bucket)
}

// setTrail puts the members of a request into settings.
func (c *call) setTrail(s *engine.TrailSettings) (err error) {
	if c.has("S3BucketName") {
		if s.Bucket = c.text("S3BucketName"); s.Bucket == "" {
			return fail("InvalidS3BucketName", "S3BucketName is empty")
		}
		if s.Target, err = c.target(s.Bucket); err != nil {
			return err
		}
	}
	if c.has("S3KeyPrefix") {
		s.Prefix = strings.TrimSuffix(c.text("S3KeyPrefix"), "/")
		if err := checkKeyPrefix(s.Prefix); err != nil {
			return err
		}
	}
	if c.has("KmsKeyId") {
		if err := c.kmsKey(c.text("KmsKeyId")); err != nil {
			return err
		}
		s.KMSKeyID = c.text("KmsKeyId")
	}
	s.MultiRegion = c.flag("IsMultiRegionTrail", s.MultiRegion)
	s.GlobalServices = c.flag("IncludeGlobalServiceEvents", s.GlobalServices)
	s.Validation = c.flag("EnableLogFileValidation", s.Validation)
	if s.MultiRegion && !s.GlobalServices {
		return fail("InvalidParameterCombination", "a trail of all regions includes global services: IncludeGlobalServiceEvents must be true")
	}
	if org := c.flag("IsOrganizationTrail", s.Organization != ""); org != (s.Organization != "") {
		owner, err := c.mayOrganize()
		if err != nil {
			return err
		}
		if c.op.name == "UpdateTrail" {
			if err := c.managementOnly("to convert a trail between account and organization"); err != nil {
				return err
			}
		}
		if s.Organization = ""; org {
			s.Organization, s.Accounts = c.s.cfg.Organization.ID, c.s.cfg.Organization.accounts()
			s.Account = owner
		}
	}
	labels := map[string]string{}
	for k, v := range s.Labels {
		labels[k] = v
	}
	for _, name := range []string{labelTopic, labelLogGroup, labelLogRole} {
		if c.has(name) {
			if labels[name] = c.text(name); labels[name] == "" {
				delete(labels, name)
			}
		}
	}
	if err := c.checkLabels(labels); err != nil {
		return err
	}
	s.Labels = labels
	if c.has(labelTopic) {
		if err := c.setTopic(s); err != nil {
			return err
		}
	}
	if c.has(labelLogGroup) {
		return c.setLogGroup(s)
	}
	return nil
}

// setLogGroup has the trail give its events to what stands for the log group of its label.
func (c *call) setLogGroup(s *engine.TrailSettings) error {
	s.Logs = ""
	group := s.Labels[labelLogGroup]
	if group == "" || c.s.cfg.LogGroups == nil {
		return nil
	}
	address, err := c.s.cfg.LogGroups(group)
	if err != nil {
		return fail("InvalidCloudWatchLogsLogGroupArn", "CloudWatchLogsLogGroupArn %q: %v", shorten(group), err)
	}
	s.Logs = address
	return nil
}

// logGroupForm is the ARN of a log group.
var logGroupForm = regexp.MustCompile(`^arn:aws[a-z-]*:logs:[a-z0-9-]+:([0-9]{12}):log-group:[.\-_/#A-Za-z0-9]{1,512}(:\*)?$`)

// logRoleForm is the ARN of a role.
var logRoleForm = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\x21-\x7e]{1,512}$`)

// setTopic has the trail tell the topic of its label of deliveries.
func (c *call) setTopic(s *engine.TrailSettings) error {
	s.Notify = ""
	topic := s.Labels[labelTopic]
	if topic == "" || c.s.cfg.Topics == nil {
		return nil
	}
	address, err := c.s.cfg.Topics(topicARN(s, topic))
	if err != nil {
		return fail("InvalidSnsTopicName", "SnsTopicName %q: %v", shorten(topic), err)
	}
	s.Notify = address
	return nil
}

// topicARN returns the ARN of a trail's topic, which is named by its name or ARN.
func topicARN(s *engine.TrailSettings, topic string) string {
	if strings.HasPrefix(topic, "arn:") {
		return topic
	}
	return "arn:aws:sns:" + s.HomeRegion + ":" + s.Account + ":" + topic
}

// accounts are the accounts of the organization, nil for all.
func (o *Organization) accounts() []string {
	if len(o.Members) == 0 {
		return nil
	}
	return append([]string{o.Management}, o.Members...)
}

func (c *call) checkLabels(labels map[string]string) error {
	if t := labels[labelTopic]; t != "" && (len(t) > 256 || strings.Trim(t, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:") != "" || strings.HasPrefix(t, "arn:") && !strings.Contains(t, ":sns:")) {
		return fail("InvalidSnsTopicName", "SnsTopicName %q is neither the name nor the ARN of a topic", shorten(t))
	}
	group, role := labels[labelLogGroup], labels[labelLogRole]
	if (group == "") != (role == "") {
		name := "InvalidCloudWatchLogsRoleArn"
		if group == "" {
			name = "InvalidCloudWatchLogsLogGroupArn"
		}
		return fail(name, "CloudWatchLogsLogGroupArn and CloudWatchLogsRoleArn must be given together")
	}
	if m := logGroupForm.FindStringSubmatch(group); group != "" && (m == nil || strings.Contains(group, "..")) {
		return fail("InvalidCloudWatchLogsLogGroupArn", "CloudWatchLogsLogGroupArn %q is not the ARN of a log group, such as arn:aws:logs:%s:%s:log-group:NAME:*", shorten(group), c.region, c.account)
	} else if group != "" && m[1] != c.account {
		return fail("InvalidCloudWatchLogsLogGroupArn", "CloudWatchLogsLogGroupArn %q is of account %s; the group must be in the account of the trail, %s", shorten(group), m[1], c.account)
	}
	if role != "" && !logRoleForm.MatchString(role) {
		return fail("InvalidCloudWatchLogsRoleArn", "CloudWatchLogsRoleArn %q is not the ARN of a role", shorten(role))
	}
	return nil
}

// trailOut is a trail in the answers of CreateTrail and UpdateTrail.
func (c *call) trailOut(t *engine.Trail) object {
	o := object{"Name": t.Name, "S3BucketName": t.BucketName(), "IncludeGlobalServiceEvents": t.GlobalServices, "IsMultiRegionTrail": t.MultiRegion,
		"TrailARN": t.ARN(), "LogFileValidationEnabled": t.Validation, "IsOrganizationTrail": t.Organization != ""}
	for name, value := range map[string]string{"S3KeyPrefix": t.Prefix, "KmsKeyId": t.KMSKeyID, labelLogGroup: t.Labels[labelLogGroup], labelLogRole: t.Labels[labelLogRole]} {
		if value != "" {
			o[name] = value
		}
	}
	if topic := t.Labels[labelTopic]; topic != "" {
		o["SnsTopicName"], o["SnsTopicARN"] = topic[strings.LastIndexByte(topic, ':')+1:], topicARN(&t.Settings, topic)
	}
	return o
}

// fullTrail is a trail in the answers of GetTrail and DescribeTrails.
func (c *call) fullTrail(t *engine.Trail) object {
	o := c.trailOut(t)
	o["HomeRegion"] = t.HomeRegion
	o["HasCustomEventSelectors"] = customSelectors(t)
	o["HasInsightSelectors"] = len(t.Insights) > 0
	return o
}

func customSelectors(t *engine.Trail) bool {
	have, err1 := json.Marshal(t.Selectors)
	plain, err2 := json.Marshal(event.DefaultTrailSelectors())
	return err1 != nil || err2 != nil || string(have) != string(plain)
}

// sources are the stores that a new trail reads: what was offered to the lake as a whole, and
// the store that imports and appends fill when none is named, if there is one.
func (c *call) sources() []string {
	var out []string
	for _, name := range []string{engine.HistoryStore, trail.DefaultSource} {
		if _, err := c.s.lake.Store(name); err == nil {
			out = append(out, name)
		}
	}
	return out
}

func (c *call) createTrail() (any, error) {
	name := c.text("Name")
	if err := trail.CheckName(name); err != nil {
		return nil, fail("InvalidTrailName", "%v", err)
	}
	mine, err := c.myTrails(true)
	if err != nil {
		return nil, err
	}
	for i := range mine {
		if mine[i].Name == name {
			return nil, fail("TrailAlreadyExists", "there is a trail %q in account %s and region %s already", name, c.account, c.region)
		}
	}
	if len(mine) >= trailsMax {
		return nil, fail("MaximumNumberOfTrailsExceeded", "account %s has %d trails in region %s, the most that it may have", c.account, len(mine), c.region)
	}
	t, err := c.newTags("TagsList")
	if err != nil {
		return nil, err
	}
	s := engine.TrailSettings{Name: name, Account: c.account, HomeRegion: c.region, GlobalServices: true, Selectors: event.DefaultTrailSelectors(),
		Sources: c.sources()}
	if err := c.setTrail(&s); err != nil {
		return nil, err
	}
	made, err := c.s.lake.CreateTrail(c.ctx, s)
	if err != nil {
		return nil, c.trailError(err)
	}
	if len(t) > 0 {
		if err := c.saveTags(made.ARN(), t); err != nil {
			return nil, err
		}
	}
	return c.trailOut(&made), nil
}

func (c *call) updateTrail() (any, error) {
	t, err := c.ownTrail(c.text("Name"))
	if err != nil {
		return nil, err
	}
	// Once, with what may fail; the engine asks for the changes more than once.
	next := t.Settings
	if err := c.setTrail(&next); err != nil {
		return nil, err
	}
	changed, err := c.s.lake.UpdateTrail(c.ctx, t.ARN(), func(s *engine.TrailSettings) error {
		*s = next
		return nil
	})
	if err != nil {
		return nil, c.trailError(err)
	}
	return c.trailOut(&changed), nil
}

func (c *call) deleteTrail() (any, error) {
	t, err := c.ownTrail(c.text("Name"))
	if err != nil {
		return nil, err
	}
	if err := c.s.lake.DeleteTrail(c.ctx, t.ARN()); err != nil {
		return nil, c.trailError(err)
	}
	return nil, c.s.remove(c.ctx, engine.Object{Kind: engine.ObjectTags, Name: t.ARN()}, engine.Object{Kind: engine.ObjectEventSettings, Name: t.ARN()})
}

func (c *call) getTrail() (any, error) {
	t, err := c.resolveTrail(c.text("Name"))
	if err != nil {
		return nil, err
	}
	return object{"Trail": c.fullTrail(t)}, nil
}

func (c *call) describeTrails() (any, error) {
	out := []object{}
	if names := c.texts("trailNameList"); len(names) > 0 {
		for _, name := range names {
			t, err := c.resolveTrail(name)
			var e *Error
			if errors.As(err, &e) && e.Code == "TrailNotFoundException" {
				continue // as CloudTrail has it: those that there are
			}
			if err != nil {
				return nil, err
			}
			out = append(out, c.fullTrail(t))
		}
		return object{"trailList": out}, nil
	}
	list, err := c.myTrails(c.flag("includeShadowTrails", true))
	if err != nil {
		return nil, err
	}
	for i := range list {
		out = append(out, c.fullTrail(&list[i]))
	}
	return object{"trailList": out}, nil
}

func (c *call) listTrails() (any, error) {
	all, err := c.s.lake.Trails()
	if err != nil {
		return nil, err
	}
	var list []engine.Trail
	for _, t := range all {
		if t.Account == c.account || t.Organization != "" && c.inOrganization() {
			list = append(list, t)
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].ARN() < list[j].ARN() })
	list, next, err := page(c, list, listMax, func(t *engine.Trail) string { return t.ARN() })
	if err != nil {
		return nil, err
	}
	out := []object{}
	for i := range list {
		out = append(out, object{"TrailARN": list[i].ARN(), "Name": list[i].Name, "HomeRegion": list[i].HomeRegion})
	}
	return withNext(object{"Trails": out}, next), nil
}

func (c *call) getTrailStatus() (any, error) {
	t, err := c.resolveTrail(c.text("Name"))
	if err != nil {
		return nil, err
	}
	st := t.Status
	o := object{"IsLogging": st.Logging}
	if !st.Started.IsZero() {
		o["StartLoggingTime"], o["TimeLoggingStarted"] = moment{st.Started}, legacyTime(st.Started)
	}
	if !st.Stopped.IsZero() {
		o["StopLoggingTime"], o["TimeLoggingStopped"] = moment{st.Stopped}, legacyTime(st.Stopped)
	}
	if !st.Delivery.IsZero() {
		o["LatestDeliveryTime"], o["LatestDeliveryAttemptSucceeded"] = moment{st.Delivery}, legacyTime(st.Delivery)
	}
	if !st.DeliveryTried.IsZero() {
		o["LatestDeliveryAttemptTime"] = legacyTime(st.DeliveryTried)
	}
	if st.DeliveryError != "" {
		o["LatestDeliveryError"] = st.DeliveryError
	}
	if !st.Digest.IsZero() {
		o["LatestDigestDeliveryTime"] = moment{st.Digest}
	}
	if st.DigestError != "" {
		o["LatestDigestDeliveryError"] = st.DigestError
	}
	if !st.Notification.IsZero() {
		o["LatestNotificationTime"], o["LatestNotificationAttemptSucceeded"] = moment{st.Notification}, legacyTime(st.Notification)
	}
	if !st.NotificationTried.IsZero() {
		o["LatestNotificationAttemptTime"] = legacyTime(st.NotificationTried)
	}
	if st.NotificationError != "" {
		o["LatestNotificationError"] = st.NotificationError
	} else if t.Labels[labelTopic] != "" && t.Notify == "" {
		o["LatestNotificationError"] = "this server knows no topics: nobody is told of deliveries (setting topics of cairn serve)"
	}
	if logs := st.Logs; logs != nil {
		if !logs.Delivery.IsZero() {
			o["LatestCloudWatchLogsDeliveryTime"] = moment{logs.Delivery}
		}
		if logs.DeliveryError != "" {
			o["LatestCloudWatchLogsDeliveryError"] = logs.DeliveryError
		}
	} else if t.Labels[labelLogGroup] != "" {
		o["LatestCloudWatchLogsDeliveryError"] = "this server knows no log groups: nothing is delivered to them (setting log-groups of cairn serve)"
	}
	return o, nil
}

func (c *call) startLogging() (any, error) {
	t, err := c.ownTrail(c.text("Name"))
	if err != nil {
		return nil, err
	}
	return nil, c.trailError(c.s.lake.StartTrail(c.ctx, t.ARN(), false))
}

func (c *call) stopLogging() (any, error) {
	t, err := c.ownTrail(c.text("Name"))
	if err != nil {
		return nil, err
	}
	return nil, c.trailError(c.s.lake.StopTrail(c.ctx, t.ARN()))
}

func (c *call) putEventSelectors() (any, error) {
	t, err := c.ownTrail(c.text("TrailName"))
	if err != nil {
		return nil, err
	}
	var list event.Selectors
	if c.has("EventSelectors") == c.has("AdvancedEventSelectors") {
		return nil, fail("InvalidEventSelectors", "give either EventSelectors or AdvancedEventSelectors")
	}
	if c.has("EventSelectors") {
		err = fromObject(c.in["EventSelectors"], &list.Basic)
	} else {
		err = fromObject(c.in["AdvancedEventSelectors"], &list.Advanced)
	}
	if err == nil && len(list.Basic)+len(list.Advanced) == 0 {
		err = errors.New("the list is empty")
	}
	if err == nil {
		err = list.Validate(event.ForTrail)
	}
	if err != nil {
		return nil, fail("InvalidEventSelectors", "%v", err)
	}
	changed, err := c.s.lake.UpdateTrail(c.ctx, t.ARN(), func(s *engine.TrailSettings) error {
		s.Selectors = list
		return nil
	})
	if err != nil {
		return nil, c.trailError(err)
	}
	return c.selectorsOut(&changed), nil
}

func (c *call) selectorsOut(t *engine.Trail) object {
	o := object{"TrailARN": t.ARN()}
	if len(t.Selectors.Advanced) > 0 {
		o["AdvancedEventSelectors"] = toList(t.Selectors.Advanced)
		return o
	}
	list := []object{}
	for _, b := range t.Selectors.Basic {
		one := object{"ReadWriteType": "All", "IncludeManagementEvents": true, "DataResources": []object{}, "ExcludeManagementEventSources": []string{}}
		if b.ReadWriteType != "" {
			one["ReadWriteType"] = b.ReadWriteType
		}
		if b.IncludeManagementEvents != nil {
			one["IncludeManagementEvents"] = *b.IncludeManagementEvents
		}
		if len(b.ExcludeManagementEventSources) > 0 {
			one["ExcludeManagementEventSources"] = b.ExcludeManagementEventSources
		}
		resources := []object{}
		for _, r := range b.DataResources {
			resources = append(resources, object{"Type": r.Type, "Values": append([]string{}, r.Values...)})
		}
		one["DataResources"] = resources
		list = append(list, one)
	}
	o["EventSelectors"] = list
	return o
}

func (c *call) getEventSelectors() (any, error) {
	t, err := c.resolveTrail(c.text("TrailName"))
	if err != nil {
		return nil, err
	}
	return c.selectorsOut(t), nil
}
