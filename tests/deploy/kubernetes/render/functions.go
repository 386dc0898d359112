// Functions and objects of templates, apart from the values.
package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"text/template"

	"github.com/Masterminds/semver"
	"github.com/Masterminds/sprig"
	"sigs.k8s.io/yaml"
)

// Sprig's functions and Helm's own. Helm removes `env` and `expandenv`: a chart must not read the caller's environment.
func functions(root *template.Template) template.FuncMap {
	all := sprig.TxtFuncMap()
	delete(all, "env")
	delete(all, "expandenv")
	ours := template.FuncMap{
		"toYaml":        toYAML,
		"toJson":        toJSON,
		"fromYaml":      fromYAML,
		"fromYamlArray": fromYAMLArray,
		"fromJson":      fromYAML,
		"fromJsonArray": fromYAMLArray,
		"required":      required,
		"fail":          func(message string) (string, error) { return "", errors.New(message) },
		// Without a cluster, lookups return nothing.
		"lookup":  func(string, string, string, string) map[string]interface{} { return map[string]interface{}{} },
		"include": include(root),
		"tpl":     tpl(root),
	}
	for name, function := range ours {
		all[name] = function
	}
	return all
}

func toYAML(value interface{}) string {
	text, err := yaml.Marshal(value)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(text), "\n")
}

func toJSON(value interface{}) string {
	text, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	return string(text)
}

// Returns an error as the value, under "Error", as Helm does.
func fromYAML(text string) map[string]interface{} {
	value := map[string]interface{}{}
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		value["Error"] = err.Error()
	}
	return value
}

func fromYAMLArray(text string) []interface{} {
	value := []interface{}{}
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		value = []interface{}{err.Error()}
	}
	return value
}

func required(message string, value interface{}) (interface{}, error) {
	if text, isText := value.(string); value == nil || isText && text == "" {
		return nil, errors.New(message)
	}
	return value, nil
}

func include(root *template.Template) func(string, interface{}) (string, error) {
	depth := map[string]int{}
	return func(name string, data interface{}) (string, error) {
		if depth[name] > 1000 {
			return "", fmt.Errorf("%s includes itself without end", name)
		}
		depth[name]++
		defer func() { depth[name]-- }()
		var text strings.Builder
		err := root.ExecuteTemplate(&text, name, data)
		return text.String(), err
	}
}

func tpl(root *template.Template) func(string, interface{}) (string, error) {
	return func(source string, data interface{}) (string, error) {
		clone, err := root.Clone()
		if err != nil {
			return "", err
		}
		clone.Funcs(template.FuncMap{"include": include(clone), "tpl": tpl(clone)})
		parsed, err := clone.New("tpl").Parse(source)
		if err != nil {
			return "", err
		}
		var text strings.Builder
		err = parsed.Execute(&text, data)
		return strings.ReplaceAll(text.String(), "<no value>", ""), err
	}
}

// The object .Files.
type files map[string][]byte

func (f files) GetBytes(name string) []byte { return f[name] }

func (f files) Get(name string) string { return string(f[name]) }

func (f files) Glob(pattern string) files {
	found := files{}
	for name, text := range f {
		if matches, err := path.Match(pattern, name); err == nil && matches {
			found[name] = text
		}
	}
	return found
}

func (f files) Lines(name string) []string {
	if f[name] == nil {
		return []string{}
	}
	return strings.Split(strings.TrimSuffix(string(f[name]), "\n"), "\n")
}

func (f files) AsConfig() string {
	texts := map[string]string{}
	for name, text := range f {
		texts[path.Base(name)] = string(text)
	}
	return toYAML(texts)
}

func (f files) AsSecrets() string {
	texts := map[string]string{}
	for name, text := range f {
		texts[path.Base(name)] = base64.StdEncoding.EncodeToString(text)
	}
	return toYAML(texts)
}

// The object .Capabilities. Without a cluster it contains the API versions of Kubernetes itself.
type apiVersions []string

func (a apiVersions) Has(wanted string) bool {
	for _, version := range a {
		if version == wanted {
			return true
		}
	}
	return false
}

func capabilities(cluster string) map[string]interface{} {
	version := semver.MustParse(cluster)
	text := "v" + version.String()
	return map[string]interface{}{
		"KubeVersion": map[string]interface{}{
			"Version": text, "GitVersion": text, "Major": fmt.Sprint(version.Major()), "Minor": fmt.Sprint(version.Minor()),
		},
		"APIVersions": apiVersions{"v1", "apps/v1", "batch/v1", "networking.k8s.io/v1"},
		"HelmVersion": map[string]interface{}{"Version": "v3"},
	}
}
