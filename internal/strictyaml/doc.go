// Package strictyaml reads the YAML of people who make mistakes: every one of
// them is reported, all at once, with file, line, column and what would mend it.
//
//	r := strictyaml.Reader{File: path, What: "a profile"}
//	if root := r.Document(data); root != nil && root.Kind == yaml.MappingNode {
//		r.Mapping(root, "", []string{"gateway", "user"}, func(name string, key, value *yaml.Node) { … })
//	}
//	if len(r.Errs) > 0 {
//		return r.Errs // lab.yaml:7:3: unknown key "gatway": did you mean "gateway"?
//	}
//
// A YAML library that decodes into structs knows neither columns nor more than
// one mistake, and takes a key that is given twice or not known at all for
// granted. So this package walks the nodes; what the values mean is its caller's.
//
// No message quotes what may be a secret: neither an anchor's name nor, but
// where the caller does so with Describe, a value.
package strictyaml
