package mlflow

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	migrate "github.com/nexport-go/migrate"
)

// maxRefused is how many entries of a run the server may refuse before the run itself fails.
const maxRefused = 20

// entry is an element of a batch, to be put into a smaller one.
type entry struct {
	list string // "metrics", "params" or "tags"
	text json.RawMessage
}

// bisect sends a batch that the server refused in halves, until it is known which entries it does
// not take. Those become Problems; all else is written. Nothing of a refused batch was stored.
func (l *load) bisect(ctx context.Context, cause error) error {
	entries, err := l.batch.entries()
	if err != nil {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return l.sendHalves(ctx, entries, cause)
}

func (l *load) sendHalves(ctx context.Context, entries []entry, cause error) error {
	if len(entries) == 1 {
		return l.refuse(entries[0], cause)
	}
	for _, half := range [][]entry{entries[:len(entries)/2], entries[len(entries)/2:]} {
		var b batch
		for _, e := range half {
			b.addEntry(e)
		}
		err := l.sink.to.log(ctx, l.to.runID, &b)
		if isRefusal(err) {
			err = l.sendHalves(ctx, half, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// refuse takes an entry out of what is expected and says so.
func (l *load) refuse(e entry, cause error) error {
	l.refused++
	if l.refused > maxRefused {
		return fmt.Errorf("the server refuses too much of the run: %w", cause)
	}
	var element struct {
		Key string `json:"key"`
	}
	if err := json.Unmarshal(e.text, &element); err != nil {
		return fmt.Errorf("%w: %w", cause, err)
	}
	switch e.list {
	case "params":
		delete(l.want.params, element.Key)
	case "tags":
		delete(l.want.tags, element.Key)
	default:
		l.lacking = append(l.lacking, e.text)
	}
	l.note(migrate.Problem{
		Path: element.Key, Code: migrate.CodeUnsupported,
		Text: fmt.Sprintf("the server refuses one of the %s, %s: %v", e.list, clip(string(e.text)), cause),
	})
	return nil
}

// subtract takes the refused points out of what is expected. It comes after the series, whose
// digests are set at their end.
func (l *load) subtract() error {
	for _, text := range l.lacking {
		var m struct {
			Key   string `json:"key"`
			Value number `json:"value"`
			Time  whole  `json:"timestamp"`
			Step  whole  `json:"step"`
		}
		if err := json.Unmarshal(text, &m); err != nil {
			return err
		}
		sum := l.want.metrics[m.Key]
		sum.remove(point{int64(m.Step), int64(m.Time), float64(m.Value)})
		l.want.metrics[m.Key] = sum
	}
	return nil
}

// entries takes a batch apart. It is for the rare batch that is refused.
func (b *batch) entries() (all []entry, err error) {
	var body struct {
		Metrics, Params, Tags []json.RawMessage
	}
	if err := json.Unmarshal(b.body(""), &body); err != nil {
		return nil, err
	}
	for _, list := range []struct {
		name  string
		items []json.RawMessage
	}{{"params", body.Params}, {"metrics", body.Metrics}, {"tags", body.Tags}} {
		for _, text := range list.items {
			all = append(all, entry{list.name, slices.Clone(text)})
		}
	}
	return all, nil
}

// addEntry adds an entry of another batch, which was within all limits.
func (b *batch) addEntry(e entry) {
	list, count := &b.metrics, &b.points
	switch e.list {
	case "params":
		list, count = &b.params, &b.values
	case "tags":
		list, count = &b.tags, &b.marks
	}
	*list = append(append(*list, e.text...), ',')
	*count++
}
