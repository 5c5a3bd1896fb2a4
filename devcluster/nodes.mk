# Real nodes: the docker engine and the images that a cluster without a registry needs.
.PHONY: engine node-image job-image

engine: ## Make a docker engine answer: the running one, else Debian's, started by hand
	@python3 -m devcluster.engine up

node-image: engine job-image ## Build the image of a docker node (kubelet, containerd) unless it is there
	@python3 -m devcluster.images node "$$(python3 -m devcluster tools kubelet)"

job-image: ## Write the busybox image for jobs where every docker node finds it
	@python3 -m devcluster.images jobs
