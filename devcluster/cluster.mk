# Targets of devcluster/; the Makefile at the root includes this file.
DEVCLUSTER = $(or $(PYTHON),python3) -m devcluster

.PHONY: cluster cluster-down cluster-status kwok kwok-down tools

cluster: ## Bring up a real Kubernetes control plane on this machine, or mend it (CLUSTER=kind: with kind)
	@$(DEVCLUSTER) up $(if $(filter kind,$(CLUSTER)),--kind)

cluster-down: ## Remove the cluster: processes, containers, networks, mounts, data
	@$(DEVCLUSTER) down

cluster-status: ## Say which programs of the cluster run and whether it is ready
	@$(DEVCLUSTER) status

kwok: cluster ## Simulate the nodes that are labelled batchyard.dev/provider=simulated
	@$(DEVCLUSTER) kwok up

kwok-down: ## Stop simulating nodes
	@$(DEVCLUSTER) kwok down

tools: ## Build the control plane, kubectl, kwok, helm and kubeconform into the cache and print their paths
	@$(DEVCLUSTER) tools
