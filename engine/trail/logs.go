package trail

// A trail may give its events to a log service beside its files: Settings.Logs is the address of a
// stream, which gets them in FormLog. It is done by a second trail that nobody sees: it has the
// settings of the first with another target, its own ranges of the same sources, its own state and
// its own goroutine, so neither holds the other up when its target is away. Logging is switched
// on and off for both in one commit.

// logSettings are the settings of the delivery to the log service.
func logSettings(s Settings) Settings {
	s.Target, s.Form, s.Pattern = s.Logs, FormLog, nil
	s.Notify, s.Logs, s.KMSKeyID, s.Encrypt, s.Validation = "", "", "", nil, false
	return s
}

func (s *Settings) checkLogs() error {
	if s.Logs == "" {
		return nil
	}
	if !IsStream(s.Logs) {
		return invalid("Logs", "%q is no stream: give jsonl:/FILE, a webhook or a topic", redact(s.Logs))
	}
	if s.Logs == s.Target {
		return invalid("Logs", "it is the target of the trail itself")
	}
	l := logSettings(*s)
	if err := l.checkStream(); err != nil {
		return invalid("Logs", "%v", err)
	}
	return nil
}

// newLogs makes the delivery of a trail to its log service.
func (t *Trail) newLogs(s *Settings) *Trail {
	return &Trail{set: t.set, wake: make(chan struct{}, 1), settings: logSettings(*s), logs: true}
}

// stateKey is where the trail's state lies.
func (t *Trail) stateKey() []byte {
	if t.logs {
		return recordKey(letterLogs, t.settings.ID)
	}
	return recordKey(letterState, t.settings.ID)
}

// branch returns the delivery to the log service, nil when there is none.
func (t *Trail) branch() *Trail {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.toLogs
}

// lockLogs takes the work of the delivery to the log service, after that of the trail, and
// returns what gives it back.
func (t *Trail) lockLogs() (unlock func()) {
	b := t.branch()
	if b == nil {
		return func() {}
	}
	b.work.Lock()
	return b.work.Unlock
}

// changeAll is change of the trail and of its delivery to the log service, together.
func (t *Trail) changeAll(fn func(t *Trail, st *state, w Writer)) error {
	b := t.branch()
	if b == nil {
		return t.change(func(st *state, w Writer) { fn(t, st, w) })
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.st.clone()
	err := t.change(func(st *state, w Writer) {
		fn(t, st, w)
		fn(b, &b.st, w)
		key := b.stateKey()
		w.Set(key, encode(key, &b.st))
	})
	if err != nil {
		b.st = before
	}
	return err
}

// clone copies a state with the ranges that changes may write to.
func (s *state) clone() state {
	c := *s
	c.Ranges = append([]Range(nil), s.Ranges...)
	return c
}
