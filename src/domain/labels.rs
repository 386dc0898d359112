//! Serialization of enums by their labels, so that each name is written once.

use serde::{Serialize, Serializer};

use super::{
    ActionKind, ActionOutcome, CommandKind, CommandOutcome, Origin, ReplicaState, SecretState, StatusReason,
};

macro_rules! serialize_as_label {
    ($($name:ident)+) => {
        $(impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.label())
            }
        })+
    };
}

serialize_as_label! {
    ActionKind ActionOutcome CommandKind CommandOutcome Origin ReplicaState SecretState StatusReason
}
