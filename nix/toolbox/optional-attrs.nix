# lib.optionalAttrs: the attributes if the condition holds, otherwise none.
condition: attributes: if condition then attributes else { }
