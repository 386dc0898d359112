//! Serialization of enums by their labels, so that each name is written once.

use super::{
    ActionKind, ActionOutcome, CommandKind, CommandOutcome, Origin, ReplicaState, SecretState, StatusReason,
};

macro_rules! serialize_as_label {
    ($($name:ident)+) => {
        $(impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.label())
            }
        })+
    };
}

pub(crate) use serialize_as_label;

serialize_as_label! {
    ActionKind ActionOutcome CommandKind CommandOutcome Origin ReplicaState SecretState StatusReason
}
