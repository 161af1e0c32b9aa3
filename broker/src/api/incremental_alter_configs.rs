//! IncrementalAlterConfigs, key 44 (KIP-339): settings of a topic change one by one.

use mainstem_protocol::{
    ErrorCode,
    messages::{
        IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
        incremental_alter_configs::{AlterConfigsResource, AlterConfigsResourceResponse, AlterableConfig},
    },
};
use mainstem_storage::{ConfigChange, ConfigOperation, store::Alteration};

use super::{
    Refusal,
    alteration::{self, Altered, Asked},
};
use crate::node::Node;

/// What happens to a setting (Kafka: `AlterConfigOp.OpType`).
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

pub(crate) async fn answer(
    node: &Node,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let asked = request.resources.into_iter().map(asked).collect();
    let altered = alteration::alter(node, asked, request.validate_only).await;
    let responses = altered.into_iter().map(respond).collect();
    IncrementalAlterConfigsResponse { responses, ..Default::default() }
}

fn asked(resource: AlterConfigsResource) -> Asked {
    let AlterConfigsResource { resource_type, resource_name: name, configs } = resource;
    let settings = configs.iter().map(|config| config.name.clone()).collect();
    Asked { resource_type, name, settings, alteration: alteration(&configs) }
}

fn alteration(configs: &[AlterableConfig]) -> Result<Alteration, Refusal> {
    let is_null = |config: &&AlterableConfig| config.value.is_none() && config.config_operation != DELETE;
    let nulls: Vec<_> = configs.iter().filter(is_null).map(|config| &*config.name).collect();
    if !nulls.is_empty() {
        return Err(alteration::null_values(&nulls));
    }
    configs.iter().map(change).collect::<Result<_, _>>().map(Alteration::Changes)
}

fn change(config: &AlterableConfig) -> Result<ConfigChange, Refusal> {
    let value = config.value.as_deref().unwrap_or_default().to_owned();
    let operation = match config.config_operation {
        SET => ConfigOperation::Set(value),
        DELETE => ConfigOperation::Delete,
        APPEND => ConfigOperation::Append(value),
        SUBTRACT => ConfigOperation::Subtract(value),
        other => {
            let message = format!("unknown operation {other} for {}: 0 to 3 are known", config.name);
            return Err(Refusal::new(ErrorCode::INVALID_REQUEST, message));
        }
    };
    Ok(ConfigChange { name: config.name.to_string(), operation })
}

fn respond(altered: Altered) -> AlterConfigsResourceResponse {
    let Altered { resource_type, name, error_code, error_message } = altered;
    AlterConfigsResourceResponse { error_code, error_message, resource_type, resource_name: name }
}
