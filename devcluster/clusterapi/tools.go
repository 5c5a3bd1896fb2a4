//go:build tools

// Cluster API's own go.mod replaces a module by a directory that its archive lacks, so its program is built from here.
package tools

import _ "sigs.k8s.io/cluster-api/core"
