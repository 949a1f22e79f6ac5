"""Real parts for tests and the demo: a Kubernetes control plane, fake nodes, Prometheus. Never part of the product.

binaries            finds or builds (go_build) etcd, Kubernetes, KWOK, Prometheus, Helm and kubeconform
processes           starts children and surely ends them, also when the one who started them is killed
control_plane       etcd, API server, controllers, scheduler and KWOK as one context manager
                    (certificates, kubeconfig and scratch_directory are its own needs)
json_api            the API server in plain dicts
definitions         custom resource definitions, served before the first object comes
kwok                nodes that cost nothing, and how long a pod on them takes to become ready
cluster_autoscaler  a small stand-in that boots and removes such nodes (node_fitting counts them)
prometheus_server   a real Prometheus that finds its targets through http_sd
engines             simulated engines for the pods that are ready, in a process of their own
demo                three models on CPU and GPU pools of all that, live
"""
