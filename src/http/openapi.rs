//! The description of the API (OpenAPI 3.1), made from the handlers.

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::HttpState;

/// The part of the description that applies to all routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "rekeyd",
        description = "Status of the managed client secrets, and commands for operators. No response contains the text of a secret.",
        license(name = "MIT", identifier = "MIT")
    ),
    tags(
        (name = "secrets", description = "Status of the managed secrets. Requires the role Rekeyd.Reader."),
        (name = "commands", description = "Commands for operators. Require the role Rekeyd.Operator."),
        (name = "operations", description = "Progress and outcome of commands. Requires the role Rekeyd.Reader.")
    ),
    servers((url = "/", description = "The daemon that serves this description.")),
    security(("token" = [])),
    modifiers(&BearerSecurity)
)]
pub(super) struct Description;

struct BearerSecurity;

impl Modify for BearerSecurity {
    fn modify(&self, description: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(
            "A token from Entra for the configured audience with an app role, or a token whose hash is in the configuration.",
        ));
        let components = description.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(bearer.build()));
    }
}

/// Returns the description. Needs no token, because its content is public.
pub(super) async fn show(State(state): State<HttpState>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], state.description.to_string())
}
