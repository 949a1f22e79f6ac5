"""The API group, and the labels and names that tie what Plimsoll owns to the InferenceDeployment it serves.

In: names. Out: constants, and the one rule for naming an owned Deployment. Written once here, read everywhere.
"""

GROUP = "plimsoll.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
CATEGORY = "plimsoll"

DEPLOYMENT_LABEL = f"{GROUP}/deployment"
"""On owned Deployments and their pods: the name of the InferenceDeployment."""
VARIANT_LABEL = f"{GROUP}/variant"
"""On owned Deployments and their pods: the name of the variant."""
DELETION_COST_ANNOTATION = "controller.kubernetes.io/pod-deletion-cost"
"""On pods, read by Kubernetes' own controllers: of pods that may go, the lowest goes first."""
ENGINE_ANNOTATION = f"{GROUP}/engine"
"""On owned Deployments: the engine of the variant's profile; it tells how to read the pods once the variant is gone."""
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "plimsoll"


def owned_deployment_name(deployment: str, variant: str) -> str:
    """The name of the apps/v1 Deployment that Plimsoll creates for a variant with a `template`."""
    return f"{deployment}-{variant}"
