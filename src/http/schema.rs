//! Schemas of closed sets, made from the labels of the types themselves: a new variant appears in the description.

use std::borrow::Cow;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{OpenApi, RefOr, Required};
use utoipa::{PartialSchema, ToSchema};

use super::ProblemType;
use crate::commands::OperationState;
use crate::domain::{
    ActionKind, ActionOutcome, CommandKind, CommandOutcome, Origin, ReplicaState, SecretState, StatusReason,
};

macro_rules! closed_sets {
    ($($name:ident: $description:literal, $labels:expr;)+) => {
        $(impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                closed_set($description, $labels)
            }
        }

        impl ToSchema for $name {})+
    };
}

closed_sets! {
    ActionKind: "The kind of an action.", ActionKind::ALL.map(ActionKind::label);
    ActionOutcome: "The outcome of an action.", ActionOutcome::ALL.map(ActionOutcome::label);
    CommandKind: "The kind of a command.", CommandKind::LABELS;
    CommandOutcome: "The way a command ended.", CommandOutcome::ALL.map(CommandOutcome::label);
    OperationState: "The state of an operation. `completed`, `rejected` and `replaced` are final.",
        OperationState::ALL.map(OperationState::label);
    Origin: "The source of a secret's management: the configuration, or its own tags.",
        Origin::ALL.map(Origin::label);
    ReplicaState: "The state of a replica.", ReplicaState::LABELS;
    SecretState: "The state of a secret. `unknown` is not reconciled yet.",
        SecretState::ALL.map(SecretState::label);
    StatusReason: "The reason for a secret's state.", StatusReason::all().map(StatusReason::label);
    ProblemType: "The type of a problem.", ProblemType::ALL.iter().copied().map(ProblemType::label);
}

fn closed_set(description: &str, labels: impl IntoIterator<Item = &'static str>) -> RefOr<Schema> {
    let schema = ObjectBuilder::new().schema_type(Type::String).description(Some(description));
    schema.enum_values(Some(labels)).into()
}

/// Reads the state of a secret in a query.
pub(super) fn read_state<'de, D: Deserializer<'de>>(query: D) -> Result<Option<SecretState>, D::Error> {
    let label = Cow::<str>::deserialize(query)?;
    let labels = SecretState::ALL.map(SecretState::label).join(", ");
    let unknown = || D::Error::custom(format_args!("state must be one of {labels}"));
    SecretState::from_label(&label).map(Some).ok_or_else(unknown)
}

/// Marks the body of every operation as optional: each command has defaults.
pub(super) fn mark_bodies_optional(description: &mut OpenApi) {
    let posts = description.paths.paths.values_mut().filter_map(|path| path.post.as_mut());
    for body in posts.filter_map(|operation| operation.request_body.as_mut()) {
        if let RefOr::T(body) = body {
            body.required = Some(Required::False);
        }
    }
}
