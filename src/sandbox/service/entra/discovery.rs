//! Discovery: Entra's endpoints, their URLs, and the keys that its tokens are signed with.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::refusal::Refusal;
use super::{Directory, Generation};
use crate::sandbox::hosts::ENTRA;
use crate::sandbox::https::{Request, Response};
use crate::sandbox::service::azure::Azure;

/// Returns the OpenID configuration. Without a particular tenant, the issuer has a placeholder for the tenant's id.
pub(super) fn configuration(
    azure: &Azure,
    _: &Request,
    directory: Directory,
    generation: Generation,
) -> Response {
    let (base, issuer) = (base(azure, directory), issuer(azure, directory, generation));
    let mut document = match generation {
        Generation::V1 => version_1(&base),
        Generation::V2 => version_2(azure, &base),
    };
    if let (Value::Object(document), Value::Object(common)) = (&mut document, common(azure, &base, &issuer)) {
        document.extend(common);
    }
    Response::ok(document)
}

/// Returns the signing keys.
pub(super) fn keys(azure: &Azure, _: &Request, directory: Directory, generation: Generation) -> Response {
    let issuer = match generation {
        Generation::V1 => None,
        Generation::V2 => Some(issuer(azure, directory, generation)),
    };
    Response::ok(json!({"keys": azure.tokens.signer.documents(issuer.as_deref())}))
}

/// Returns the hosts that are aliases of this Entra, or an error if the authority in the request is not one of them.
pub(super) fn instance(azure: &Azure, request: &Request) -> Response {
    let host = azure.addresses.authority_host();
    let (preferred_cache, aliases) = match (azure.addresses.production.as_ref(), ENTRA) {
        (Some(_), [_, older, ..]) => (older, ENTRA.to_vec()),
        (None, _) => (host, vec![host]),
    };
    let asked = request.query("authorization_endpoint").unwrap_or_default();
    let mut parts = asked.trim_start_matches("https://").split('/');
    let is_known = parts.next().is_some_and(|asked| aliases.contains(&asked));
    let Some(tenant) = parts.next().filter(|_| is_known) else { return unknown_instance(azure, request) };
    let endpoint = format!("{}/{tenant}/v2.0/.well-known/openid-configuration", azure.addresses.authority);
    Response::ok(json!({
        "tenant_discovery_endpoint": endpoint, "api-version": "1.1",
        "metadata": [{"preferred_network": host, "preferred_cache": preferred_cache, "aliases": aliases}],
    }))
}

fn unknown_instance(azure: &Azure, request: &Request) -> Response {
    let message = "Unknown or invalid instance.";
    Refusal::new(StatusCode::BAD_REQUEST, "invalid_instance", 50_049, message).into_response(azure, request)
}

/// Returns the base URL. It contains the tenant's id, whichever name the request used.
fn base(azure: &Azure, directory: Directory) -> String {
    match directory {
        Directory::Home => format!("{}/{}", azure.addresses.authority, azure.model.tenant().id),
        Directory::Any(name) => format!("{}/{name}", azure.addresses.authority),
    }
}

fn issuer(azure: &Azure, directory: Directory, generation: Generation) -> String {
    let tenant = match directory {
        Directory::Home => azure.model.tenant().id.to_string(),
        Directory::Any(_) => "{tenantid}".to_owned(),
    };
    match generation {
        Generation::V1 => format!("https://sts.windows.net/{tenant}/"),
        Generation::V2 => format!("{}/{tenant}/v2.0", azure.addresses.authority),
    }
}

fn version_1(base: &str) -> Value {
    json!({
        "authorization_endpoint": format!("{base}/oauth2/authorize"),
        "token_endpoint": format!("{base}/oauth2/token"),
        "device_authorization_endpoint": format!("{base}/oauth2/devicecode"),
        "jwks_uri": format!("{base}/discovery/keys"),
        "userinfo_endpoint": format!("{base}/openid/userinfo"),
        "end_session_endpoint": format!("{base}/oauth2/logout"),
        "check_session_iframe": format!("{base}/oauth2/checksession"),
        "response_types_supported": ["code", "id_token", "code id_token", "token id_token", "token"],
        "scopes_supported": ["openid"],
        "microsoft_multi_refresh_token": true,
    })
}

fn version_2(azure: &Azure, base: &str) -> Value {
    json!({
        "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
        "token_endpoint": format!("{base}/oauth2/v2.0/token"),
        "device_authorization_endpoint": format!("{base}/oauth2/v2.0/devicecode"),
        "jwks_uri": format!("{base}/discovery/v2.0/keys"),
        "userinfo_endpoint": format!("{}/oidc/userinfo", azure.addresses.graph),
        "end_session_endpoint": format!("{base}/oauth2/v2.0/logout"),
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "request_uri_parameter_supported": false,
    })
}

fn common(azure: &Azure, base: &str, issuer: &str) -> Value {
    let cloud = match azure.addresses.production {
        Some(_) => "microsoftonline.com",
        None => azure.addresses.authority_host(),
    };
    json!({
        "issuer": issuer,
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "http_logout_supported": true,
        "frontchannel_logout_supported": true,
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "tid", "ver"],
        "kerberos_endpoint": format!("{base}/kerberos"),
        "tenant_region_scope": null,
        "cloud_instance_name": cloud,
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": azure.addresses.graph.trim_start_matches("https://"),
        "rbac_url": "https://pas.windows.net",
    })
}
