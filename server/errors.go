package server

import "goppptp/internal/strictyaml"

// ConfigError is one mistake in a configuration file. Line and Column begin at
// 1; Column 0 means the whole line, Line 0 the whole file.
type ConfigError = strictyaml.Error

// ConfigErrors is every mistake that was found, a line each.
type ConfigErrors = strictyaml.Errors
