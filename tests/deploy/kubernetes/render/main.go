// Renders a chart as `helm template` does, for machines without Helm: the same template language, the same functions
// (sprig and Helm's own), the same objects (.Values, .Chart, .Release, .Capabilities, .Files, .Template), the same
// precedence of values. Features that our chart does not use are left out: subcharts, hooks, the order of kinds, TOML, and
// a cluster for `lookup`.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"text/template"

	"github.com/Masterminds/semver"
	"sigs.k8s.io/yaml"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "render: %v\n", err)
		os.Exit(1)
	}
}

func run() error {
	var valueFiles, configFile list
	release := flag.String("release", "rekeyd", "name of the release")
	namespace := flag.String("namespace", "rekeyd", "namespace of the release")
	cluster := flag.String("kube-version", "1.32.0", "version of the cluster")
	print := flag.String("print", "manifests", "manifests, notes or values")
	flag.Var(&valueFiles, "values", "file of values; the later wins")
	flag.Var(&configFile, "set-file", "KEY=FILE: the value at the top-level KEY is the text of FILE")
	flag.Parse()
	if flag.NArg() != 1 {
		return errors.New("usage: render [FLAGS] CHART")
	}
	chart, err := load(flag.Arg(0))
	if err != nil {
		return err
	}
	if err := chart.fits(*cluster); err != nil {
		return err
	}
	values, err := chart.values(valueFiles, configFile)
	if err != nil {
		return err
	}
	if *print == "values" {
		text, err := yaml.Marshal(values)
		fmt.Print(string(text))
		return err
	}
	rendered, err := chart.render(map[string]interface{}{
		"Values":       values,
		"Chart":        chart.metadata,
		"Files":        chart.files,
		"Capabilities": capabilities(*cluster),
		"Release": map[string]interface{}{
			"Name": *release, "Namespace": *namespace, "Service": "Helm",
			"Revision": 1, "IsInstall": true, "IsUpgrade": false,
		},
	})
	if err != nil {
		return err
	}
	for _, output := range rendered {
		isNotes := path.Base(output.name) == "NOTES.txt"
		if isNotes == (*print == "notes") && strings.TrimSpace(output.text) != "" {
			if !isNotes {
				fmt.Printf("---\n# Source: %s\n", output.name)
			}
			fmt.Println(strings.TrimSuffix(output.text, "\n"))
		}
	}
	return nil
}

// A chart as Helm loads it: templates and schema are separate, all other files are available as .Files.
type chart struct {
	metadata  map[string]interface{}
	defaults  map[string]interface{}
	templates map[string]string
	files     files
}

func load(directory string) (*chart, error) {
	loaded := &chart{templates: map[string]string{}, files: files{}}
	texts, err := read(directory)
	if err != nil {
		return nil, err
	}
	metadata := map[string]interface{}{}
	for name, text := range texts {
		switch {
		case name == "Chart.yaml":
			err = yaml.Unmarshal([]byte(text), &metadata)
		case name == "values.yaml":
			err = yaml.Unmarshal([]byte(text), &loaded.defaults)
		case name == "values.schema.json":
			err = compiles(text)
		case name == ".helmignore":
		case strings.HasPrefix(name, "templates/"):
			loaded.templates[name] = text
		default:
			loaded.files[name] = []byte(text)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	for _, key := range []string{"apiVersion", "name", "version"} {
		if metadata[key] == nil {
			return nil, fmt.Errorf("Chart.yaml lacks %s", key)
		}
	}
	// Templates use Helm's own struct, whose fields start with a capital.
	loaded.metadata = map[string]interface{}{}
	for key, value := range metadata {
		if key == "apiVersion" {
			key = "APIVersion"
		}
		loaded.metadata[strings.ToUpper(key[:1])+key[1:]] = value
	}
	return loaded, nil
}

// Checks that Go, and so Helm, can compile the patterns of a schema. Python, which validates the values, accepts more.
func compiles(schema string) error {
	var tree interface{}
	if err := yaml.Unmarshal([]byte(schema), &tree); err != nil {
		return err
	}
	var visit func(node interface{}) error
	visit = func(node interface{}) error {
		switch node := node.(type) {
		case []interface{}:
			for _, child := range node {
				if err := visit(child); err != nil {
					return err
				}
			}
		case map[string]interface{}:
			if pattern, isText := node["pattern"].(string); isText {
				if _, err := regexp.Compile(pattern); err != nil {
					return err
				}
			}
			for _, child := range node {
				if err := visit(child); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return visit(tree)
}

// Returns every file below the directory by its path. Follows symbolic links, as Helm does.
func read(directory string) (map[string]string, error) {
	texts := map[string]string{}
	err := filepath.WalkDir(directory, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(directory, file)
		texts[filepath.ToSlash(name)] = string(text)
		return err
	})
	return texts, err
}

// Returns an error if Helm would refuse to install the chart in a cluster of this version.
func (c *chart) fits(cluster string) error {
	wanted, ok := c.metadata["KubeVersion"].(string)
	if !ok {
		return nil
	}
	constraint, err := semver.NewConstraint(wanted)
	if err != nil {
		return fmt.Errorf("kubeVersion: %w", err)
	}
	version, err := semver.NewVersion(cluster)
	if err != nil {
		return err
	}
	if !constraint.Check(version) {
		return fmt.Errorf("the chart requires kubeVersion %s, which %s is not", wanted, cluster)
	}
	return nil
}

// Returns the default values, overridden by the files and strings.
func (c *chart) values(valueFiles, textFiles []string) (map[string]interface{}, error) {
	values := c.defaults
	for _, file := range valueFiles {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		// Numbers become floats, as in Helm: a template that prints a large one must use `int`.
		over := map[string]interface{}{}
		if err := yaml.UnmarshalStrict(text, &over); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		values = coalesce(values, over)
	}
	for _, pair := range textFiles {
		key, file, found := strings.Cut(pair, "=")
		if !found {
			return nil, fmt.Errorf("%q is not KEY=FILE", pair)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		values[key] = string(text)
	}
	return values, nil
}

// Merges tables, replaces other values, and removes a default if the value is null.
func coalesce(under, over map[string]interface{}) map[string]interface{} {
	merged := map[string]interface{}{}
	for key, value := range under {
		merged[key] = value
	}
	for key, value := range over {
		table, isTable := value.(map[string]interface{})
		before, wasTable := merged[key].(map[string]interface{})
		switch {
		case value == nil:
			delete(merged, key)
		case isTable && wasTable:
			merged[key] = coalesce(before, table)
		default:
			merged[key] = value
		}
	}
	return merged
}

type output struct{ name, text string }

func (c *chart) render(top map[string]interface{}) ([]output, error) {
	root := template.New("gotpl")
	// Helm's default: a missing value is empty, not an error.
	root.Option("missingkey=zero")
	root.Funcs(functions(root))
	name := c.metadata["Name"].(string)
	for _, file := range sorted(c.templates) {
		if _, err := root.New(path.Join(name, file)).Parse(c.templates[file]); err != nil {
			return nil, err
		}
	}
	var outputs []output
	for _, file := range sorted(c.templates) {
		if strings.HasPrefix(path.Base(file), "_") {
			continue
		}
		full := path.Join(name, file)
		scope := map[string]interface{}{
			"Template": map[string]interface{}{"Name": full, "BasePath": path.Join(name, "templates")},
		}
		for key, value := range top {
			scope[key] = value
		}
		var text strings.Builder
		if err := root.ExecuteTemplate(&text, full, scope); err != nil {
			return nil, err
		}
		outputs = append(outputs, output{full, strings.ReplaceAll(text.String(), "<no value>", "")})
	}
	return outputs, nil
}

func sorted(texts map[string]string) []string {
	var names []string
	for name := range texts {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// A flag that may be repeated.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

func (l *list) Set(text string) error {
	*l = append(*l, text)
	return nil
}
