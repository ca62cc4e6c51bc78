package mlflowtest

type metric struct {
	Key   *string `json:"key"`
	Value *double `json:"value"`
	Time  *int64  `json:"timestamp"`
	Step  *int64  `json:"step"`
}

type batch struct {
	ID      *string  `json:"run_id"`
	Metrics []metric `json:"metrics"`
	Params  []pair   `json:"params"`
	Tags    []pair   `json:"tags"`
}

// logBatch refuses a batch as a whole or takes it as a whole.
func (s *Server) logBatch(c call) answer {
	if s.opts.Discard {
		return ok(struct{}{})
	}
	var in batch
	if !c.read(&in) {
		return invalid("bad body")
	}
	s.checkSizes(c, in)
	run, a := s.active(in.ID)
	if a == nil {
		a = s.checkMetrics(in.Metrics)
	}
	if a == nil {
		a = s.checkParams(run, in.Params)
	}
	if a == nil {
		a = s.tags(run.Tags, in.Tags, s.maxTag())
	}
	if a != nil {
		return *a
	}
	for _, p := range in.Params {
		run.Params[*p.Key] = *p.Value
	}
	for _, m := range in.Metrics {
		run.add(*m.Key, Point{*m.Step, *m.Time, float64(*m.Value)})
	}
	return ok(struct{}{})
}

func (s *Server) checkSizes(c call, in batch) {
	n := len(in.Metrics) + len(in.Params) + len(in.Tags)
	if len(in.Metrics) > 1000 || len(in.Params) > 100 || len(in.Tags) > 100 || n > 1000 {
		s.t.Errorf("batch of %d metrics, %d params, %d tags", len(in.Metrics), len(in.Params), len(in.Tags))
	}
	if len(c.body) > 1_000_000 {
		s.t.Errorf("batch of %d bytes", len(c.body))
	}
	if n == 0 {
		s.t.Errorf("empty batch")
	}
}

func (s *Server) checkMetrics(metrics []metric) *answer {
	keys := map[string]bool{}
	for _, m := range metrics {
		if m.Key == nil || m.Value == nil || m.Time == nil || m.Step == nil {
			s.t.Errorf("a metric lacks a field")
			return refusal("missing value in metrics")
		}
		if *m.Time < 0 {
			return refusal("negative timestamp")
		}
		if text := s.checkKey(*m.Key); text != "" {
			return refusal(text)
		}
		keys[*m.Key] = true
	}
	if len(keys) > 100 {
		s.t.Errorf("batch with %d metric keys: servers before 3.11 cannot take it twice", len(keys))
	}
	return nil
}

func (s *Server) checkParams(run *Run, params []pair) *answer {
	seen := map[string]bool{}
	for _, p := range params {
		if p.Key == nil || p.Value == nil {
			s.t.Errorf("a param without key or value")
			return refusal("missing value in params")
		}
		if text := s.checkKey(*p.Key); text != "" {
			return refusal(text)
		}
		s.checkText("param", *p.Key, *p.Value, s.maxParam())
		if seen[*p.Key] {
			s.t.Errorf("param %q twice in one batch", *p.Key)
			return refusal("duplicate param " + *p.Key)
		}
		seen[*p.Key] = true
		if old, there := run.Params[*p.Key]; there && old != *p.Value {
			return refusal("Changing param values is not allowed. Param with key='" + *p.Key + "' was already logged.")
		}
	}
	return nil
}

// add stores a point unless it is there.
func (r *Run) add(key string, p Point) {
	if r.seen == nil {
		r.seen = map[string]map[[3]uint64]struct{}{}
	}
	if r.seen[key] == nil {
		r.seen[key] = map[[3]uint64]struct{}{}
		for _, old := range r.Metrics[key] {
			r.seen[key][old.key()] = struct{}{}
		}
	}
	if _, there := r.seen[key][p.key()]; there {
		return
	}
	r.seen[key][p.key()] = struct{}{}
	r.Metrics[key] = append(r.Metrics[key], p)
}
