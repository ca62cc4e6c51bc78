package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	migrate "github.com/nexport-go/migrate"
)

// chooseFlags choose what to export.
type chooseFlags struct {
	ProjectIDs     []string  `name:"project-ids" short:"p" help:"This project, as workspace/name; may be repeated (else NEPTUNE_PROJECT)." sep:"none" placeholder:"PROJECT"`
	Workspace      []string  `short:"w" help:"All projects of this workspace; may be repeated." sep:"none" placeholder:"NAME"`
	ProjectInclude []pattern `aliases:"project-pattern" help:"With --workspace: only projects in whose name this regular expression is found; may be repeated." sep:"none" placeholder:"REGEX"`
	ProjectExclude []pattern `aliases:"project-exclude-pattern" help:"With --workspace: no projects in whose name this regular expression is found; may be repeated." sep:"none" placeholder:"REGEX"`
	Runs           []pattern `short:"r" help:"Only runs in whose ID this regular expression is found; the ID of Neptune 2.x is the short one (sys/id)." sep:"none" placeholder:"REGEX"`
	RunsFile       string    `help:"Only runs with the IDs in this file, one a line (- is standard input): custom or short ones of Neptune 3.x, short ones of 2.x." placeholder:"FILE"`
	Scope          []string  `help:"Only these: ${enum}, separated by commas (default ${scopes}). Neptune 3.x has runs only." enum:"runs,models,model_versions" placeholder:"SCOPES"`
	Shard          shard     `help:"Only the I-th of N parts of the runs, such as 2/5: divides an export among machines, each with directories of its own." placeholder:"I/N"`
	Attributes     []string  `short:"a" help:"Only attributes in whose path this regular expression is found, or that have this name; may be repeated." sep:"none" placeholder:"REGEX"`
	Classes        []string  `short:"c" help:"Only these types of data: ${enum}; may be repeated." enum:"parameters,metrics,series,files" placeholder:"CLASS"`
	Exclude        []string  `help:"None of these types of data: ${enum}; may be repeated." enum:"parameters,metrics,series,files" placeholder:"CLASS"`
}

// Validate checks what Kong cannot.
func (f chooseFlags) Validate() error {
	switch {
	case len(f.Runs) > 1:
		return errors.New("-r is one regular expression: write RUN-1|RUN-2 for several, or name the runs in a --runs-file")
	case len(f.ProjectInclude)+len(f.ProjectExclude) > 0 && len(f.Workspace) == 0:
		return errors.New("--project-include and --project-exclude choose among the projects of a --workspace")
	case len(f.Classes) > 0 && len(f.Exclude) > 0:
		return errors.New("give --classes or --exclude, not both")
	case slices.Contains(f.ProjectIDs, "") || slices.Contains(f.Workspace, ""):
		return errors.New("a project or workspace must have a name")
	}
	_, err := attributes(f.Attributes)
	return err
}

// pattern is a flag's regular expression.
type pattern struct{ *regexp.Regexp }

// UnmarshalText compiles it.
func (p *pattern) UnmarshalText(text []byte) (err error) {
	p.Regexp, err = regexp.Compile(string(text))
	if err != nil {
		return fmt.Errorf("%w (Go's syntax: no look-ahead, no back-references)", err)
	}
	return nil
}

func anyFound(patterns []pattern, s string) bool {
	return slices.ContainsFunc(patterns, func(p pattern) bool { return p.MatchString(s) })
}

// shard is a flag's part of the runs: index of count, from 0; count 0 is all.
type shard struct{ index, count int }

// UnmarshalText parses "I/N", I from 1 to N.
func (s *shard) UnmarshalText(text []byte) error {
	first, second, _ := strings.Cut(string(text), "/")
	i, err := strconv.Atoi(first)
	n, err2 := strconv.Atoi(second)
	if err != nil || err2 != nil || i < 1 || i > n || n > 1_000_000 {
		return fmt.Errorf("%q is no part like 2/5, the second of five", text)
	}
	s.index, s.count = i-1, n
	return nil
}

// kindsOf are the types of each of the Python tool's classes. Types of Neptune 2 that the tool
// left out are with those that they resemble.
var kindsOf = map[string][]migrate.Kind{
	"parameters": {
		migrate.KindFloat, migrate.KindInt, migrate.KindString, migrate.KindBool, migrate.KindDatetime, migrate.KindStringSet,
		migrate.KindGitRef, migrate.KindNotebookRef, migrate.KindRunState,
	},
	"metrics": {migrate.KindFloatSeries},
	"series":  {migrate.KindStringSeries, migrate.KindHistogramSeries},
	"files":   {migrate.KindFile, migrate.KindFileSeries, migrate.KindFileSet, migrate.KindArtifact},
}

// classNames are the keys of kindsOf in the order in which they are read.
var classNames = []string{"parameters", "files", "metrics", "series"}

// classOf is the class of a type, or the type itself if it is in none.
func classOf(k migrate.Kind) string {
	for _, name := range classNames {
		if slices.Contains(kindsOf[name], k) {
			return name
		}
	}
	return string(k)
}

// kinds are the types of some classes. Order and repetitions do not matter, so that manifests
// of the same selection are equal.
func kinds(classes []string) (all []migrate.Kind) {
	for _, name := range classNames {
		if slices.Contains(classes, name) {
			all = append(all, kindsOf[name]...)
		}
	}
	return all
}

// filter is what the flags choose of each run.
func (f chooseFlags) filter() migrate.Filter {
	path, _ := attributes(f.Attributes) // as Validate has seen
	filter := migrate.Filter{Path: path, Exclude: kinds(f.Exclude)}
	if len(slices.Compact(slices.Sorted(slices.Values(f.Classes)))) < len(classNames) {
		filter.Kinds = kinds(f.Classes)
	}
	return filter
}

// attributes finds what any of the expressions finds, and each as a name. One that is no regular
// expression is a name only. It is nil without expressions.
func attributes(expressions []string) (*regexp.Regexp, error) {
	if len(expressions) == 0 {
		return nil, nil
	}
	var alternatives []string
	for _, e := range slices.Compact(slices.Sorted(slices.Values(expressions))) {
		if !utf8.ValidString(e) {
			return nil, fmt.Errorf("-a %q is not valid UTF-8", e)
		}
		tree, err := syntax.Parse(e, syntax.Perl)
		if err == nil {
			alternatives = append(alternatives, tree.String()) // closes what is open at its end, such as \Q
		}
		if re, err := regexp.Compile(e); err != nil || !re.MatchString(e) {
			alternatives = append(alternatives, `\A`+regexp.QuoteMeta(e)+`\z`)
		}
	}
	if re, err := regexp.Compile(expressions[0]); err == nil && len(expressions) == 1 && len(alternatives) == 1 {
		return re, nil // manifests have it as it was given
	}
	re, err := regexp.Compile("(?:" + strings.Join(alternatives, ")|(?:") + ")")
	if err != nil {
		return nil, fmt.Errorf("-a: all expressions together: %w", err)
	}
	return re, nil
}

// maxExactIDs is the most IDs that are handed to the source one by one.
const maxExactIDs = 500

// selection is what the flags choose of a project's runs, but for many IDs of a file.
func (f chooseFlags) selection(ids []string) migrate.Selection {
	sel := migrate.Selection{Shard: f.Shard.index, ShardCount: f.Shard.count, Filter: f.filter()}
	if len(f.Runs) > 0 {
		sel.IDMatch = f.Runs[0].Regexp
	}
	if len(ids) <= maxExactIDs {
		for _, id := range ids {
			sel.Runs = append(sel.Runs, migrate.RunRef{ID: id})
		}
	}
	return sel
}

// runIDs are the IDs of --runs-file.
func (f chooseFlags) runIDs(stdin io.Reader) ([]string, error) {
	if f.RunsFile == "" {
		return nil, nil
	}
	in := stdin
	if f.RunsFile != "-" {
		file, err := os.Open(f.RunsFile)
		if err != nil {
			return nil, fmt.Errorf("--runs-file: %w", err)
		}
		defer file.Close()
		in = file
	}
	ids, err := readIDs(in)
	if err != nil {
		return nil, fmt.Errorf("--runs-file %s: %w", f.RunsFile, err)
	}
	return ids, nil
}

// readIDs reads one ID a line, without what white space is around it and without empty lines.
func readIDs(r io.Reader) (ids []string, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	seen := map[string]bool{}
	for n := 1; lines.Scan(); n++ {
		id := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\ufeff"))
		if !utf8.ValidString(id) {
			return nil, fmt.Errorf("line %d is not valid UTF-8", n)
		}
		if id != "" && !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return nil, errors.New("it has no IDs")
	}
	return ids, nil
}
