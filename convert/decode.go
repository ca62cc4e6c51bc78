package convert

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/nexport-go/migrate"
)

// MaxSidecarLine is the longest line that ReadSidecar takes, in bytes. A line has at most a Chunk of
// points or files.
const MaxSidecarLine = 64 << 20

// SidecarLine is a line after the header: an Attribute, or else exact points of the metric of Path.
type SidecarLine struct {
	Attribute *Attribute
	Path      string
	Exact     []ExactPoint
}

// ReadSidecar reads a sidecar: its header, then its lines one by one. An error ends the lines and
// matches migrate.ErrCorrupt unless it is one of r's. The lines can be ranged over once.
func ReadSidecar(r io.Reader) (Header, iter.Seq2[SidecarLine, error], error) {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, MaxSidecarLine)
	if !scanner.Scan() {
		return Header{}, nil, scanError(scanner, errors.New("it is empty"))
	}
	var h Header
	if err := json.Unmarshal(scanner.Bytes(), &h); err != nil {
		return h, nil, corrupt(err)
	}
	if h.Format != sidecarFormat || h.Version != sidecarVersion {
		return h, nil, fmt.Errorf("read %s: format %q version %d is not known here, use a newer nexport", SidecarName, h.Format, h.Version)
	}
	return h, func(yield func(SidecarLine, error) bool) {
		for n := 2; scanner.Scan(); n++ {
			line, err := parseLine(scanner.Bytes())
			if err != nil {
				yield(line, corrupt(fmt.Errorf("line %d: %w", n, err)))
				return
			}
			if !yield(line, nil) {
				return
			}
		}
		if err := scanError(scanner, nil); err != nil {
			yield(SidecarLine{}, err)
		}
	}, nil
}

func scanError(s *bufio.Scanner, otherwise error) error {
	err := s.Err()
	switch {
	case errors.Is(err, bufio.ErrTooLong):
		return corrupt(err)
	case err != nil:
		return fmt.Errorf("read %s: %w", SidecarName, err)
	case otherwise != nil:
		return corrupt(otherwise)
	}
	return nil
}

func corrupt(err error) error {
	return fmt.Errorf("read %s: %w: %w", SidecarName, migrate.ErrCorrupt, err)
}

func parseLine(line []byte) (SidecarLine, error) {
	var in struct {
		Attribute
		Exact *[]exactRow `json:"exact"`
	}
	if err := json.Unmarshal(line, &in); err != nil {
		return SidecarLine{}, err
	}
	if in.PathBase64 != nil {
		in.Path, in.PathBase64 = string(in.PathBase64), nil
	}
	if in.Exact != nil {
		points := make([]ExactPoint, len(*in.Exact))
		for i, row := range *in.Exact {
			points[i] = ExactPoint(row)
		}
		return SidecarLine{Path: in.Path, Exact: points}, nil
	}
	if in.Kind == "" {
		return SidecarLine{}, errors.New("neither an attribute nor exact points")
	}
	if err := in.Attribute.complete(); err != nil {
		return SidecarLine{}, err
	}
	return SidecarLine{Path: in.Path, Attribute: &in.Attribute}, nil
}

// complete adds the names that were left out and checks the lists.
func (a *Attribute) complete() error {
	for _, name := range a.NamesBase64 {
		a.Names = append(a.Names, string(name))
	}
	a.NamesBase64 = nil
	n := len(a.Artifacts)
	if a.Names != nil && len(a.Names) != n || a.Descriptions != nil && len(a.Descriptions) != n ||
		a.Steps != nil && len(a.Steps) != n || a.Times != nil && len(a.Times) != n {
		return fmt.Errorf("%s: the lists are not as long as that of the artifacts", a.Path)
	}
	if a.Names != nil || a.Param != "" || a.Kind != migrate.KindFileSet && a.Kind != migrate.KindArtifact {
		return nil
	}
	for _, path := range a.Artifacts {
		name, ok := strings.CutPrefix(path, a.Path+"/")
		if !ok {
			return fmt.Errorf("%s: the name of %q is missing", a.Path, path)
		}
		a.Names = append(a.Names, name)
	}
	return nil
}

// exactRow reads [index,"step",time,"value"].
type exactRow ExactPoint

func (p *exactRow) UnmarshalJSON(b []byte) error {
	var step, value string
	var ms *int64
	row := []any{&p.Index, &step, &ms, &value}
	if err := json.Unmarshal(b, &row); err != nil {
		return err
	}
	if len(row) != 4 {
		return errors.New("an exact point needs index, step, time and value")
	}
	var err error
	if p.Step, err = ParseStep(step); err != nil {
		return err
	}
	if p.Time = migrate.NoTime; ms != nil {
		p.Time = *ms
	}
	p.Value, err = parseValue(value)
	return err
}
