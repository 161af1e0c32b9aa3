//! DescribeUserScramCredentials, key 50 (KIP-554).

use super::describe::{self, message, structure};
use crate::{ErrorCode, Text};

message! {
    /// Asks which users have passwords, all where none are named.
    DescribeUserScramCredentialsRequest [0..=0, flexible 0..] {
        users: Option<Vec<UserName>> [0.., default Some(Default::default())],
    }
}

structure! {
    UserName {
        name: Text,
    }
}

message! {
    /// The kinds of passwords that users have.
    DescribeUserScramCredentialsResponse [0..=0, flexible 0..] {
        throttle_time_ms: i32,
        error_code: ErrorCode,
        error_message: Option<Text> [0.., default Some(Default::default())],
        results: Vec<DescribeUserScramCredentialsResult>,
    }
}

structure! {
    DescribeUserScramCredentialsResult {
        user: Text,
        error_code: ErrorCode,
        error_message: Option<Text> [0.., default Some(Default::default())],
        credential_infos: Vec<CredentialInfo>,
    }
    CredentialInfo {
        mechanism: i8,
        iterations: i32,
    }
}
