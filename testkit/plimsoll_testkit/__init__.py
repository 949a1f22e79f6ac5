"""Real parts for tests and the demo: a Kubernetes control plane, fake nodes, Prometheus. Never part of the product.

binaries            finds or builds etcd, the Kubernetes binaries, KWOK, Prometheus, Helm and kubeconform
processes           starts and surely ends them, also when the one who started them is killed
certificates        the control plane's own authority
control_plane       etcd, API server, controllers, scheduler and KWOK as one context manager
kwok                nodes of a pool that cost nothing, and how long a pod takes to become ready
cluster_autoscaler  a small stand-in that boots and removes such nodes
prometheus_server   a real Prometheus that finds its targets through http_sd
"""
