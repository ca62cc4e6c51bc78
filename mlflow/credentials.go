package mlflow

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"unicode"
)

// addCredentials takes from the file of MLflow's client what the environment does not say.
func (c *Config) addCredentials(path string) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read credentials: %w", err)
	}
	sections := parseINI(strings.TrimPrefix(string(text), "\ufeff")) // of Windows' editors
	own, found := sections["mlflow"]
	if !found {
		return nil
	}
	value := func(key string) string {
		s, there := own[key]
		if !there {
			s = sections["DEFAULT"][key]
		}
		return strings.ReplaceAll(s, "%%", "%")
	}
	c.Username = cmp.Or(c.Username, value("mlflow_tracking_username"))
	c.Password = cmp.Or(c.Password, value("mlflow_tracking_password"))
	return nil
}

// parseINI reads a file as Python's configparser does, with keys in lower case: a line that is indented
// deeper than its key goes on with the value. Lines that are an error to Python are passed over.
func parseINI(text string) map[string]map[string]string {
	sections := map[string]map[string]string{}
	var section map[string]string
	key, indent := "", 0
	for line := range strings.Lines(text) {
		line = strings.TrimRightFunc(line, unicode.IsSpace)
		content := strings.TrimSpace(line)
		depth := len(line) - len(content)
		switch {
		case strings.HasPrefix(content, "#"), strings.HasPrefix(content, ";"):
		case key != "" && (content == "" || depth > indent):
			section[key] += "\n" + content
		case content == "":
		case content[0] == '[' && strings.Contains(content, "]"):
			name := content[1:strings.LastIndexByte(content, ']')]
			if sections[name] == nil {
				sections[name] = map[string]string{}
			}
			section, key, indent = sections[name], "", depth
		case section != nil:
			key, indent = keyValue(section, content), depth
		}
	}
	for _, section := range sections {
		for key, value := range section {
			section[key] = strings.TrimRightFunc(value, unicode.IsSpace)
		}
	}
	return sections
}

// keyValue enters "key = value" or "key: value", and returns the key; "" if the line is neither.
func keyValue(section map[string]string, line string) string {
	at := strings.IndexAny(line, "=:")
	if at <= 0 {
		return ""
	}
	key := strings.ToLower(strings.TrimSpace(line[:at]))
	section[key] = strings.TrimSpace(line[at+1:])
	return key
}
