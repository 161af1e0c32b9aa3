//! The APIs of consumer groups: handed to the coordinator.

use mainstem_protocol::messages::RequestBody;

use crate::{
    dispatch::{Answer, Context},
    node::Node,
};

pub(crate) async fn answer(_node: &Node, _context: &Context, request: RequestBody) -> Answer {
    let _ = request;
    Answer::Close("no coordinator")
}
