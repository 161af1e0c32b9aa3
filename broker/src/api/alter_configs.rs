//! AlterConfigs, key 33: a topic's own settings become those that are named, and no others.

use mainstem_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse,
    alter_configs::{AlterConfigsResource, AlterConfigsResourceResponse, AlterableConfig},
};
use mainstem_storage::{Overrides, store::Alteration};

use super::{
    Refusal,
    alteration::{self, Altered, Asked},
};
use crate::node::Node;

pub(crate) async fn answer(node: &Node, request: AlterConfigsRequest) -> AlterConfigsResponse {
    let asked = request.resources.into_iter().map(asked).collect();
    let altered = alteration::alter(node, asked, request.validate_only).await;
    AlterConfigsResponse { responses: altered.into_iter().map(respond).collect(), ..Default::default() }
}

fn asked(resource: AlterConfigsResource) -> Asked {
    let AlterConfigsResource { resource_type, resource_name: name, configs } = resource;
    let settings = configs.iter().map(|config| config.name.clone()).collect();
    Asked { resource_type, name, settings, alteration: alteration(&configs) }
}

fn alteration(configs: &[AlterableConfig]) -> Result<Alteration, Refusal> {
    let nulls: Vec<_> =
        configs.iter().filter(|config| config.value.is_none()).map(|config| &*config.name).collect();
    if !nulls.is_empty() {
        return Err(alteration::null_values(&nulls));
    }
    let pair =
        |config: &AlterableConfig| Some((config.name.to_string(), config.value.as_deref()?.to_owned()));
    let overrides: Overrides = configs.iter().filter_map(pair).collect();
    Ok(Alteration::Replace(overrides))
}

fn respond(altered: Altered) -> AlterConfigsResourceResponse {
    let Altered { resource_type, name, error_code, error_message } = altered;
    AlterConfigsResourceResponse { error_code, error_message, resource_type, resource_name: name }
}
