// expect 3:30: the layer `dense` is called outside of a model: nobody owns its parameters
use nn
fn f(x: f32[2, 4]) = nn.dense(x, 3)
