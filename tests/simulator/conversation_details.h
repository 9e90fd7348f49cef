#pragma once

// Conversation details: the sync query, reads by id, and what the jobs need to know about conversations.

#include "tests/simulator/service.h"

namespace tests::simulator {

Outcome<Answer> query_conversation_details(Service& service, Call& call);
Outcome<Answer> get_conversation_details(Service& service, Call& call);       // one, by path
Outcome<Answer> get_many_conversation_details(Service& service, Call& call);  // ?id=a,b,c

// What a job over this body will hold, as a function of the availability date.
Outcome<Job*> submit_conversation_job(Service& service, Call& call);

}  // namespace tests::simulator
