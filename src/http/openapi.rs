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
        description = "What is known of the managed secrets, and what a person can ask for. No answer holds a secret.",
        license(name = "MIT", identifier = "MIT")
    ),
    tags(
        (name = "secrets", description = "What is known of them. Needs the role Rekeyd.Reader."),
        (name = "commands", description = "What a person can ask for. Needs the role Rekeyd.Operator."),
        (name = "operations", description = "What became of a command. Needs the role Rekeyd.Reader.")
    ),
    security(("token" = [])),
    modifiers(&BearerSecurity)
)]
pub(super) struct Description;

struct BearerSecurity;

impl Modify for BearerSecurity {
    fn modify(&self, description: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(
            "A token of Entra for the configured audience, with an app role, or a token that the configuration has the hash of.",
        ));
        let components = description.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(bearer.build()));
    }
}

/// Returns the description. Open without a token, because its content is public in the project's own pages.
pub(super) async fn show(State(state): State<HttpState>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], state.description.to_string())
}
