"""From a prior and a model's reply to one plan, in which the model's word counts what it is worth."""
