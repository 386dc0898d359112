"""Checks of the rendered manifests beyond their schemas and checkov.

    claims.py split RENDERED PARTS    writes one file per object, for the other tools
    claims.py hold RENDERED ROOT      prints a line for each claim: "ok" or "FAILED" with the reason

RENDERED is a directory with NAME.yaml for each rendering.
"""

import json
import pathlib
import sys
import tomllib

import yaml

OPERATOR = "monitoring.coreos.com/v1"
# Pairs of renderings by kustomize and by the chart that must be equal.
TWINS = {
    "kustomize-base": "chart-default",
    "kustomize-workload-identity": "chart-monitoring",
    "kustomize-cron-job": "chart-sweep",
}
# The kinds of volumes that Pod Security `restricted` allows.
VOLUMES = set("configMap csi downwardAPI emptyDir ephemeral persistentVolumeClaim projected secret".split())
METADATA_SERVICE = "169.254.169.254/32"


def objects(file):
    return [entry for entry in yaml.safe_load_all(file.read_text()) if entry]


def renderings(directory):
    return {file.stem: objects(file) for file in sorted(pathlib.Path(directory).glob("*.yaml"))}


def one(rendering, kind):
    found = [entry for entry in rendering if entry["kind"] == kind]
    assert len(found) == 1, f"{len(found)} of kind {kind}"
    return found[0]


def maybe(rendering, kind):
    return next((entry for entry in rendering if entry["kind"] == kind), None)


def workload(rendering):
    return maybe(rendering, "Deployment") or one(rendering, "CronJob")


def template(rendering):
    spec = workload(rendering)["spec"]
    return spec["jobTemplate"]["spec"]["template"] if "jobTemplate" in spec else spec["template"]


def container(rendering):
    containers = template(rendering)["spec"]["containers"]
    assert len(containers) == 1, f"{len(containers)} containers"
    return containers[0]


def environment(rendering):
    return {entry["name"]: entry.get("value", "") for entry in container(rendering).get("env", [])}


def is_daemon(rendering):
    return workload(rendering)["kind"] == "Deployment"


# Claims about every rendering.


def it_has_the_expected_objects(rendering):
    kinds = sorted(entry["kind"] for entry in rendering if entry["apiVersion"] != OPERATOR)
    wanted = ["ConfigMap", "NetworkPolicy", "ServiceAccount"]
    wanted += ["Deployment", "Service"] if is_daemon(rendering) else ["CronJob"]
    assert sorted(set(kinds) - {"Namespace"}) == sorted(wanted), kinds
    assert len(kinds) == len(set(kinds)), kinds


def the_pod_meets_pod_security_restricted(rendering):
    pod, only = template(rendering)["spec"], container(rendering)
    for forbidden in ["hostNetwork", "hostPID", "hostIPC", "initContainers", "ephemeralContainers"]:
        assert forbidden not in pod, forbidden
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["runAsGroup"] == 65532
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert only["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "privileged": False,
        "capabilities": {"drop": ["ALL"]},
    }, only["securityContext"]
    kinds = {key for volume in pod["volumes"] for key in volume if key != "name"}
    assert kinds <= VOLUMES, kinds
    assert not any("hostPort" in port for port in only.get("ports", []))


def the_pod_has_no_access_to_the_cluster(rendering):
    pod, account = template(rendering)["spec"], one(rendering, "ServiceAccount")
    assert pod["automountServiceAccountToken"] is False
    assert account["automountServiceAccountToken"] is False
    assert pod["serviceAccountName"] == account["metadata"]["name"]
    assert pod["enableServiceLinks"] is False


def the_pod_outlives_the_shutdown_grace(rendering):
    config = tomllib.loads(one(rendering, "ConfigMap")["data"]["rekeyd.toml"])
    grace = config.get("reconcile", {}).get("shutdown_grace", "25s")
    assert template(rendering)["spec"]["terminationGracePeriodSeconds"] > int(grace.removesuffix("s"))


def the_configuration_is_mounted_for_the_image(rendering):
    pod, config = template(rendering)["spec"], one(rendering, "ConfigMap")
    volume = next(volume for volume in pod["volumes"] if volume["name"] == "config")
    assert volume["configMap"] == {"name": config["metadata"]["name"]}
    mounts = {mount["name"]: mount for mount in container(rendering)["volumeMounts"]}
    assert mounts["config"] == {"name": "config", "mountPath": "/etc/rekeyd", "readOnly": True}
    assert list(config["data"]) == ["rekeyd.toml"]
    assert set(mounts) == {volume["name"] for volume in pod["volumes"]}


def the_selectors_find_the_pod(rendering):
    labels = template(rendering)["metadata"]["labels"]
    selectors = [one(rendering, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"]]
    if is_daemon(rendering):
        selectors.append(workload(rendering)["spec"]["selector"]["matchLabels"])
        selectors.append(one(rendering, "Service")["spec"]["selector"])
    for selector in selectors:
        assert len(selector) == 2 and selector.items() <= labels.items(), selector


def workload_identity_is_complete_or_absent(rendering):
    labels = template(rendering)["metadata"]["labels"]
    annotations = one(rendering, "ServiceAccount")["metadata"].get("annotations", {})
    asks = labels.get("azure.workload.identity/use") == "true"
    assert asks == ("azure.workload.identity/client-id" in annotations), (labels, annotations)


def only_prometheus_may_connect(rendering):
    policy = one(rendering, "NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    if not is_daemon(rendering):
        assert policy["ingress"] == [], policy["ingress"]
        return
    (rule,) = policy["ingress"]
    (peer,) = rule["from"]
    assert list(peer) == ["namespaceSelector"] and peer["namespaceSelector"]["matchLabels"], peer
    assert rule["ports"] == [{"protocol": "TCP", "port": "health"}], rule


def only_dns_and_https_may_leave(rendering):
    dns, *others = one(rendering, "NetworkPolicy")["spec"]["egress"]
    (resolver,) = dns["to"]
    assert resolver == {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    }, resolver
    assert sorted((port["protocol"], port["port"]) for port in dns["ports"]) == [("TCP", 53), ("UDP", 53)]
    for rule in others:
        (block,) = (peer["ipBlock"] for peer in rule["to"])
        ports = [(port["protocol"], port["port"]) for port in rule["ports"]]
        # The metadata service is allowed only by a separate rule from the values.
        if block["cidr"] == METADATA_SERVICE:
            assert ports == [("TCP", 80)], ports
        else:
            assert METADATA_SERVICE in block["except"] and ports == [("TCP", 443)], rule


def the_probes_and_the_service_reach_the_health_listener(rendering):
    only = container(rendering)
    if not is_daemon(rendering):
        assert "ports" not in only and "livenessProbe" not in only and "readinessProbe" not in only
        assert "REKEYD_HEALTH__LISTEN" not in environment(rendering)
        return
    (port,) = only["ports"]
    assert environment(rendering)["REKEYD_HEALTH__LISTEN"] == f"0.0.0.0:{port['containerPort']}"
    for probe, path in [("livenessProbe", "/livez"), ("readinessProbe", "/readyz")]:
        assert only[probe]["httpGet"] == {"path": path, "port": port["name"]}, only[probe]
    (served,) = one(rendering, "Service")["spec"]["ports"]
    assert served["targetPort"] == port["name"] and served["port"] == port["containerPort"]


def there_is_one_daemon_or_one_sweep_at_a_time(rendering):
    spec = workload(rendering)["spec"]
    if is_daemon(rendering):
        assert spec["replicas"] == 1 and spec["strategy"] == {"type": "Recreate"}
        assert container(rendering)["args"] == ["run"]
        return
    assert spec["concurrencyPolicy"] == "Forbid" and spec["jobTemplate"]["spec"]["backoffLimit"] == 0
    assert template(rendering)["spec"]["restartPolicy"] == "Never"
    sweep, flag, limit = container(rendering)["args"]
    assert (sweep, flag) == ("sweep", "--limit")
    seconds = int(limit.removesuffix("m")) * 60
    grace = template(rendering)["spec"]["terminationGracePeriodSeconds"]
    assert spec["jobTemplate"]["spec"]["activeDeadlineSeconds"] > seconds + grace


def prometheus_finds_the_service_under_the_job_of_the_rules(rendering):
    monitor = maybe(rendering, "ServiceMonitor")
    if monitor is None:
        return
    service, spec = one(rendering, "Service"), monitor["spec"]
    assert spec["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert service["metadata"]["labels"][spec["jobLabel"]] == "rekeyd"
    (endpoint,) = spec["endpoints"]
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]} and endpoint["path"] == "/metrics"
    # Otherwise the label `service` of our metrics would be renamed, and the rules would not match it.
    assert endpoint["honorLabels"] is True


def everything_is_in_one_namespace(rendering):
    (namespace,) = {entry["metadata"].get("namespace") for entry in rendering if entry["kind"] != "Namespace"}
    assert namespace, "none"
    ours = maybe(rendering, "Namespace")
    if ours:
        assert ours["metadata"]["name"] == namespace
        for mode in ["enforce", "audit", "warn"]:
            assert ours["metadata"]["labels"][f"pod-security.kubernetes.io/{mode}"] == "restricted", mode


# Claims about several renderings, or about a specific one.


def kustomize_and_chart_are_equal(all_renderings, root):
    for ours, theirs in TWINS.items():
        by_kustomize, by_chart = (normalized(all_renderings[name]) for name in (ours, theirs))
        assert by_kustomize.keys() == by_chart.keys(), (ours, by_kustomize.keys() ^ by_chart.keys())
        for kind, entry in by_kustomize.items():
            other = by_chart[kind]
            assert entry == other, f"{ours} and {theirs} differ in {kind}:\n{show(entry)}\n{show(other)}"


def normalized(rendering):
    """Returns the rendering without intended differences: Helm's labels, the hash of the configuration."""
    config = one(rendering, "ConfigMap")["metadata"]["name"]
    text = json.dumps([entry for entry in rendering if entry["kind"] != "Namespace"])
    entries = json.loads(text.replace(f'"configMap": {{"name": "{config}"}}', '"configMap": {"name": "CONFIG"}'))
    for entry in entries:
        for label in ["app.kubernetes.io/version", "app.kubernetes.io/managed-by", "helm.sh/chart"]:
            entry["metadata"]["labels"].pop(label, None)
        if entry["kind"] == "ConfigMap":
            entry["metadata"]["name"] = "CONFIG"
    assert template(entries)["metadata"].pop("annotations", {}).keys() <= {"checksum/config"}
    return {entry["kind"]: entry for entry in entries}


def show(entry):
    return yaml.safe_dump(entry)


def the_rules_are_those_of_prometheus(all_renderings, root):
    rules = yaml.safe_load((root / "deploy/prometheus/rules.yml").read_text())
    found = [maybe(rendering, "PrometheusRule") for rendering in all_renderings.values()]
    found = [rule for rule in found if rule]
    assert len(found) >= 3, f"only {len(found)} renderings have them"
    assert all(rule["spec"] == rules for rule in found)


def the_version_is_that_of_the_program(all_renderings, root):
    version = tomllib.loads((root / "Cargo.toml").read_text())["package"]["version"]
    chart = yaml.safe_load((root / "deploy/kubernetes/chart/Chart.yaml").read_text())
    assert chart["appVersion"] == version, chart["appVersion"]
    for name in ["chart-default", *TWINS]:
        image = container(all_renderings[name])["image"]
        assert image == f"registry.example.com/rekeyd:{version}", f"{name}: {image}"


def the_values_reach_the_objects(all_renderings, root):
    full = all_renderings["chart-identity"]
    pod, metadata = template(full)["spec"], template(full)["metadata"]
    values = yaml.safe_load((root / "tests/deploy/kubernetes/values/good/identity.yaml").read_text())
    assert container(full)["image"] == f"{values['image']['repository']}@{values['image']['digest']}"
    assert pod["imagePullSecrets"] == [{"name": "registry"}]
    assert one(full, "ConfigMap")["data"]["rekeyd.toml"] == values["config"]
    for key in ["nodeSelector", "tolerations", "affinity", "priorityClassName"]:
        assert pod[key] == values[key], key
    assert container(full)["resources"] == values["resources"]
    assert container(full)["env"][1:] == values["extraEnv"]
    assert pod["volumes"][1:] == values["extraVolumes"]
    assert container(full)["volumeMounts"][1:] == values["extraVolumeMounts"]
    assert metadata["labels"]["team"] == "identity" and metadata["annotations"]["example.org/note"] == "a note"
    sweep = workload(all_renderings["chart-sweep-nightly"])["spec"]
    assert (sweep["schedule"], sweep["timeZone"], sweep["suspend"]) == ("30 2 * * *", "Europe/Berlin", True)
    assert sweep["jobTemplate"]["spec"]["activeDeadlineSeconds"] == 1440 * 60 + 300
    labelled = all_renderings["chart-operator-labels"]
    for kind in ["ServiceMonitor", "PrometheusRule"]:
        assert one(labelled, kind)["metadata"]["labels"]["release"] == "prometheus", kind


def no_value_overrides_the_charts_own_labels(all_renderings, root):
    metadata = template(all_renderings["chart-identity"])["metadata"]
    assert metadata["labels"]["app.kubernetes.io/name"] == "rekeyd"
    assert len(metadata["annotations"]["checksum/config"]) == 64


def a_changed_configuration_replaces_the_pod(all_renderings, root):
    before, after = (template(all_renderings[name]) for name in ["chart-default", "chart-operator-labels"])
    assert before["metadata"]["annotations"] != after["metadata"]["annotations"]
    name = one(all_renderings["kustomize-base"], "ConfigMap")["metadata"]["name"]
    assert name.startswith("rekeyd-") and len(name) == len("rekeyd-") + 10, f"no hash in {name}"


def another_release_has_other_names(all_renderings, root):
    for entry in all_renderings["chart-another-release"]:
        assert entry["metadata"]["name"] == "east-rekeyd" and entry["metadata"]["namespace"] == "ops", entry["metadata"]


ABOUT_ONE = [
    it_has_the_expected_objects,
    the_pod_meets_pod_security_restricted,
    the_pod_has_no_access_to_the_cluster,
    the_pod_outlives_the_shutdown_grace,
    the_configuration_is_mounted_for_the_image,
    the_selectors_find_the_pod,
    workload_identity_is_complete_or_absent,
    only_prometheus_may_connect,
    only_dns_and_https_may_leave,
    the_probes_and_the_service_reach_the_health_listener,
    there_is_one_daemon_or_one_sweep_at_a_time,
    prometheus_finds_the_service_under_the_job_of_the_rules,
    everything_is_in_one_namespace,
]
ABOUT_ALL = [
    kustomize_and_chart_are_equal,
    the_rules_are_those_of_prometheus,
    the_version_is_that_of_the_program,
    the_values_reach_the_objects,
    no_value_overrides_the_charts_own_labels,
    a_changed_configuration_replaces_the_pod,
    another_release_has_other_names,
]


def hold(directory, root):
    found = renderings(directory)
    for claim in ABOUT_ONE:
        for name, rendering in found.items():
            report(f"{claim.__name__}: {name}", claim, rendering)
    for claim in ABOUT_ALL:
        report(claim.__name__, claim, found, pathlib.Path(root))


def report(name, claim, *arguments):
    name = name.replace("_", " ")
    try:
        claim(*arguments)
        print(f"ok      {name}")
    except Exception as error:  # An incomplete manifest fails the claim, not the run.
        print(f"FAILED  {name}: {type(error).__name__}: {error}")


def split(directory, parts):
    parts = pathlib.Path(parts)
    for folder in ["core", "custom", "configurations"]:
        (parts / folder).mkdir(parents=True)
    for name, rendering in renderings(directory).items():
        for entry in rendering:
            folder = "custom" if entry["apiVersion"] == OPERATOR else "core"
            (parts / folder / f"{name}-{entry['kind']}.yaml").write_text(yaml.safe_dump(entry))
        folder = parts / "configurations" / name
        folder.mkdir()
        (folder / "rekeyd.toml").write_text(one(rendering, "ConfigMap")["data"]["rekeyd.toml"])
        variables = environment(rendering)
        (folder / "environment").write_text("".join(f"{key}={value}\n" for key, value in variables.items()))


if __name__ == "__main__":
    {"split": split, "hold": hold}[sys.argv[1]](*sys.argv[2:])
